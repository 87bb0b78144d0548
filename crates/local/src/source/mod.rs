//! What a machine can start from: this system, a folder, a tarball, an image of the store.

mod find;
mod identity;
mod tarball;

pub(crate) use find::{Stack, find, stack};
pub(crate) use tarball::TARBALL_LAYER;

use ami_bake_core::plan::Architecture;

/// This machine's architecture, the only one that runs here.
pub(crate) fn architecture() -> Option<Architecture> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Arm64),
        _ => None,
    }
}
