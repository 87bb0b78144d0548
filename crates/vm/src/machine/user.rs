//! Finds the login name of an image.

use ami_bake_core::plan::{MachineSettings, SourceImage};
use ami_bake_core::tags;
use ami_bake_core::{Error, Result};

/// Tag with the login name of a baked image, for images built on it.
pub(crate) const USER: &str = "ami-bake:user";

/// Login users of the images that distributions publish, by parts of the files' names (each one's own documentation).
const NAMES: &[(&str, &str)] = &[
    ("ubuntu", "ubuntu"),
    ("debian", "debian"),
    ("al2023", "ec2-user"),
    ("amzn2", "ec2-user"),
    ("fedora", "fedora"),
    ("centos", "cloud-user"),
    ("rhel", "cloud-user"),
    ("rocky", "rocky"),
    ("almalinux", "almalinux"),
    ("ol8", "cloud-user"),
    ("ol9", "cloud-user"),
    ("opensuse", "opensuse"),
    ("arch-linux", "arch"),
    ("alpine", "alpine"),
    ("kali", "kali"),
    ("nixos", "root"),
];

/// The login name: the manifest's, else the one of the image; `None` when it can't be derived.
pub(crate) fn known(settings: &MachineSettings, source: &SourceImage) -> Option<String> {
    if let Some(user) = settings.user.as_ref().or_else(|| source.tags.get(USER)) {
        return Some(user.clone());
    }
    let name = source.tags.get(tags::SOURCE_NAME).unwrap_or(&source.name);
    let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    NAMES.iter().find(|(part, _)| file.contains(part)).map(|(_, user)| (*user).to_owned())
}

/// The login name.
///
/// # Errors
/// When it can't be derived.
pub(super) fn of(settings: &MachineSettings, source: &SourceImage) -> Result<String> {
    known(settings, source).ok_or_else(|| {
        Error::preflight(format!("the login name of {} is unknown", source.name)).help(
            "Set it with `machine: {user: …}`: debian, ubuntu, fedora, or the one that the image's publisher documents.",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_manifest_wins_over_the_tag_and_the_name() {
        let image = |name: &str, tags: &[(&str, &str)]| SourceImage {
            name: name.to_owned(),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>(),
            ..SourceImage::default()
        };
        let none = MachineSettings::default();
        let of = |image| known(&none, &image);
        assert_eq!(of(image("/images/debian-12-genericcloud-amd64.qcow2", &[])).as_deref(), Some("debian"));
        assert_eq!(of(image("https://example.com/debian/custom.qcow2", &[])), None, "only the file counts");
        assert_eq!(of(image("shop/web/1.0.0", &[(USER, "rocky")])).as_deref(), Some("rocky"));
        let given = MachineSettings { user: Some("root".to_owned()), ..MachineSettings::default() };
        assert_eq!(known(&given, &image("noble-ubuntu.img", &[])).as_deref(), Some("root"));
        let error = super::of(&none, &image("disk.img", &[])).unwrap_err();
        assert!(error.help_text().unwrap().contains("machine: {user"), "{error}");
    }
}
