//! The manifest that `ami-bake init` writes.

/// A commented manifest that passes `check`.
pub const TEMPLATE: &str = include_str!("../templates/bake.yml");

/// The same for the platform `vm`. `disk.qcow2` stands for the user's disk image.
pub const VM_TEMPLATE: &str = include_str!("../templates/vm.yml");
