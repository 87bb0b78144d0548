//! The manifest that `ami-bake init` writes.

/// A commented manifest that passes `check`.
pub const TEMPLATE: &str = include_str!("../templates/bake.yml");
