//! Which instance types are tried.

use ami_bake_core::plan::Architecture;

/// The types for a manifest that names none: small, burstable, everywhere to be had, and two vCPUs, since a bake mostly
/// waits for packages. The second is another processor, whose capacity is another pool.
pub(super) fn default(architecture: Option<Architecture>) -> Vec<String> {
    let types: &[&str] = match architecture {
        Some(Architecture::Arm64) => &["t4g.small", "m7g.medium", "m6g.medium"],
        _ => &["t3.small", "t3a.small", "m6i.large"],
    };
    types.iter().map(|kind| (*kind).to_owned()).collect()
}

/// True for bare metal, which takes many minutes to boot.
pub(super) fn metal(kind: &str) -> bool {
    kind.split_once('.').is_some_and(|(_, size)| size.starts_with("metal"))
}
