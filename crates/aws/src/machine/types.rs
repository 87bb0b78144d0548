//! Instance types: defaults, quotas, bare metal.

use ami_bake_core::plan::Architecture;

/// Default types: small, burstable, available everywhere, with two vCPUs, since a bake mostly waits for packages. The
/// second has another processor, whose capacity is separate.
pub(super) fn default(architecture: Option<Architecture>) -> Vec<String> {
    let types: &[&str] = match architecture {
        Some(Architecture::Arm64) => &["t4g.small", "m7g.medium", "m6g.medium"],
        _ => &["t3.small", "t3a.small", "m6i.large"],
    };
    types.iter().map(|kind| (*kind).to_owned()).collect()
}

/// The quota that counts the vCPUs of a type; each has separate values for on-demand and spot (EC2 user guide,
/// "On-Demand Instance quotas").
pub(super) fn quota(kind: &str) -> &'static str {
    const OWN: [(&str, &str); 12] = [
        ("u-", "high memory"),
        ("u7", "high memory"),
        ("inf", "inf"),
        ("trn", "trn"),
        ("dl", "dl"),
        ("hpc", "hpc"),
        ("mac", "mac"),
        ("vt", "g and vt"),
        ("g", "g and vt"),
        ("p", "p"),
        ("f", "f"),
        ("x", "x"),
    ];
    OWN.iter().find(|(prefix, _)| kind.starts_with(prefix)).map_or("standard", |(_, quota)| quota)
}

/// True for bare metal, which takes many minutes to boot.
pub(super) fn metal(kind: &str) -> bool {
    kind.split_once('.').is_some_and(|(_, size)| size.starts_with("metal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_counted_by_family() {
        let of = |kinds: &[&str]| kinds.iter().map(|kind| quota(kind)).collect::<Vec<_>>();
        assert_eq!(
            of(&["t3.small", "m7i-flex.large", "c5.metal", "i4i.large", "d3.xlarge", "z1d.large"]),
            ["standard"; 6]
        );
        assert_eq!(of(&["g5.xlarge", "vt1.3xlarge"]), ["g and vt"; 2]);
        assert_eq!(of(&["p4d.24xlarge", "x2idn.metal", "inf2.xlarge", "trn1.2xlarge"]), ["p", "x", "inf", "trn"]);
    }
}
