//! A first manifest.

/// What `init` writes: a commented manifest that passes the check.
pub const TEMPLATE: &str = include_str!("../templates/bake.yml");
