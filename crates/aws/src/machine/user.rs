//! Finds the login name of an image.

use std::collections::BTreeMap;

use ami_bake_core::{Error, tags};
use aws_sdk_ec2::types::Image;

use crate::image::tags_of;

/// Tag with the login name of a baked image, for images built on it.
pub(crate) const USER: &str = "ami-bake:user";

/// Publishers' accounts and the login users of their images
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/managing-users.html> and the publishers' own pages).
const OWNERS: &[(&str, &str)] = &[
    ("099720109477", "ubuntu"),   // Canonical
    ("136693071363", "admin"),    // Debian
    ("137112412989", "ec2-user"), // Amazon Linux
    ("309956199498", "ec2-user"), // Red Hat
    ("013907871322", "ec2-user"), // SUSE
    ("125523088429", "fedora"),   // Fedora; CentOS by its names below
    ("792107900819", "rocky"),    // Rocky Linux
    ("764336703387", "ec2-user"), // AlmaLinux
    ("131827586825", "ec2-user"), // Oracle Linux
    ("782442783595", "ec2-user"), // FreeBSD
    ("538276064493", "alpine"),   // Alpine Linux
    ("427812963091", "root"),     // NixOS
    ("647457786197", "arch"),     // Arch Linux (uplink labs)
    ("075585003325", "core"),     // Flatcar
];

/// Login users by parts of image names, most specific first: for copies in other accounts and for the Marketplace.
const NAMES: &[(&str, &str)] = &[
    ("bitnami", "bitnami"),
    ("ubuntu", "ubuntu"),
    ("debian", "admin"),
    ("al2023-ami", "ec2-user"),
    ("amzn2", "ec2-user"),
    ("amzn-ami", "ec2-user"),
    ("amazon-eks", "ec2-user"),
    ("amazon-linux", "ec2-user"),
    ("rocky", "rocky"),
    ("almalinux", "ec2-user"),
    ("fedora", "fedora"),
    ("centos stream", "ec2-user"),
    ("centos-stream", "ec2-user"),
    ("centos", "centos"),
    ("rhel", "ec2-user"),
    ("suse", "ec2-user"),
    ("opensuse", "ec2-user"),
    ("ol8", "ec2-user"),
    ("ol9", "ec2-user"),
    ("oracle", "ec2-user"),
    ("freebsd", "ec2-user"),
    ("flatcar", "core"),
    ("kali", "kali"),
    ("arch-linux", "arch"),
    ("alpine", "alpine"),
    ("nixos", "root"),
];

/// The login name of the image; `None` when it can't be derived.
pub(super) fn of(image: &Image) -> Option<String> {
    let all = tags_of(image);
    if let Some(user) = all.get(USER) {
        return Some(user.clone());
    }
    let known = |owner: Option<&str>, name: Option<&str>| by_name(name?).or_else(|| by_owner(owner?));
    known(get(&all, tags::SOURCE_OWNER), get(&all, tags::SOURCE_NAME).or(Some("")))
        .or_else(|| known(image.owner_id(), image.name().or(Some(""))))
        .map(str::to_owned)
}

/// The error for an image whose login name nobody knows.
pub(super) fn unknown(image: &Image) -> Error {
    let (id, name) = (image.image_id().unwrap_or_default(), image.name().unwrap_or_default());
    Error::preflight(format!("the login name of {id} ({name}) is unknown")).help(
        "Set it with `machine: {user: …}`: ubuntu, ec2-user, admin, or the one that the image's publisher documents.",
    )
}

fn get<'a>(all: &'a BTreeMap<String, String>, key: &str) -> Option<&'a str> {
    all.get(key).map(String::as_str)
}

fn by_owner(owner: &str) -> Option<&'static str> {
    OWNERS.iter().find(|(id, _)| *id == owner).map(|(_, user)| *user)
}

fn by_name(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    NAMES.iter().find(|(part, _)| name.contains(part)).map(|(_, user)| *user)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;

    use super::*;

    fn user(owner: &str, name: &str, tags: &[(&str, &str)]) -> Option<String> {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
        of(&Image::builder().owner_id(owner).name(name).set_tags(Some(tags)).build())
    }

    #[test]
    fn publishers_are_known_by_account_and_by_name() {
        let noble = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101";
        assert_eq!(user("099720109477", noble, &[]).as_deref(), Some("ubuntu"));
        assert_eq!(user("111111111111", noble, &[]).as_deref(), Some("ubuntu"), "a copy in another account");
        assert_eq!(user("136693071363", "something-new", &[]).as_deref(), Some("admin"));
        assert_eq!(user("125523088429", "CentOS Stream 9 x86_64", &[]).as_deref(), Some("ec2-user"));
        assert_eq!(user("125523088429", "Fedora-Cloud-Base-44", &[]).as_deref(), Some("fedora"));
        assert_eq!(user("111111111111", "golden", &[]), None);
    }

    #[test]
    fn what_was_baked_says_it_itself() {
        let chained = [(tags::SOURCE_NAME, "shop/base/1.0.0"), (tags::SOURCE_OWNER, "111111111111"), (USER, "admin")];
        assert_eq!(user("111111111111", "shop/web/1.0.0", &chained).as_deref(), Some("admin"));
        let older = [(tags::SOURCE_NAME, "debian-12-amd64"), (tags::SOURCE_OWNER, "136693071363")];
        assert_eq!(user("111111111111", "shop/base/1.0.0", &older).as_deref(), Some("admin"));
    }
}
