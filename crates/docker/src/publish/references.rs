//! Under which references an image is published.

use ami_bake_core::plan::ContainerPublish;
use ami_bake_core::{Error, ErrorKind, Result};

use crate::reference::{Reference, is_repository, is_tag};

/// One reference for each tag; the version's `+` is `_`, as in names.
pub(super) fn references(wanted: &ContainerPublish) -> Result<Vec<Reference>> {
    let repository = &wanted.repository;
    if !is_repository(repository) {
        return Err(Error::new(ErrorKind::Publish, format!("tag the image for {repository:?}: it is no repository"))
            .help("Write `repository` as registry.example.com/team/image: lower case, without a tag."));
    }
    let one = |tag: &String| {
        let tag = tag.replace('+', "_");
        if is_tag(&tag) {
            return Ok(Reference { repository: repository.clone(), tag });
        }
        Err(Error::new(ErrorKind::Publish, format!("tag the image {repository}:{tag}: {tag:?} is no tag"))
            .help("A tag has letters, digits, `_`, `.` and `-`, 128 at most, and begins with none of the last two."))
    };
    let latest = vec!["latest".to_owned()];
    let tags = if wanted.tags.is_empty() { &latest } else { &wanted.tags };
    tags.iter().map(one).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::publish) fn wanted(repository: &str, tags: &[&str]) -> ContainerPublish {
        ContainerPublish {
            repository: repository.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            push: true,
            published: true,
            login: None,
            changes: ami_bake_core::plan::ContainerChanges::default(),
        }
    }

    #[test]
    fn tags_are_versions_too() {
        let made = references(&wanted("r.example.com/shop/web", &["1.2.3+build", "latest"])).unwrap();
        let made: Vec<String> = made.iter().map(ToString::to_string).collect();
        assert_eq!(made, ["r.example.com/shop/web:1.2.3_build", "r.example.com/shop/web:latest"]);
        assert_eq!(references(&wanted("web", &[])).unwrap()[0].to_string(), "web:latest");
        assert!(references(&wanted("web", &["a b"])).unwrap_err().message().contains("\"a b\" is no tag"));
        assert!(references(&wanted("Web", &[])).unwrap_err().message().contains("no repository"));
    }
}
