//! The references under which an image is published.

use ami_bake_core::plan::ContainerPublish;
use ami_bake_core::{Error, ErrorKind, Result};

use crate::reference::{Reference, is_repository, is_tag};

/// One reference for each tag. The `+` of a version becomes `_`, as in names.
pub(super) fn references(publish: &ContainerPublish) -> Result<Vec<Reference>> {
    let repository = &publish.repository;
    if !is_repository(repository) {
        return Err(Error::new(
            ErrorKind::Publish,
            format!("could not tag the image for {repository:?}: it is not a valid repository"),
        )
        .help("Set `repository` to a name such as registry.example.com/team/image: lower case, without a tag."));
    }
    let reference = |tag: &String| {
        let tag = tag.replace('+', "_");
        if is_tag(&tag) {
            return Ok(Reference { repository: repository.clone(), tag });
        }
        Err(Error::new(
            ErrorKind::Publish,
            format!("could not tag the image {repository}:{tag}: {tag:?} is not a valid tag"),
        )
        .help("A tag has at most 128 letters, digits, `_`, `.` and `-`, and does not begin with `.` or `-`."))
    };
    let latest = vec!["latest".to_owned()];
    let tags = if publish.tags.is_empty() { &latest } else { &publish.tags };
    tags.iter().map(reference).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::publish) fn publish_to(repository: &str, tags: &[&str]) -> ContainerPublish {
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
    fn a_version_can_be_a_tag() {
        let made = references(&publish_to("r.example.com/shop/web", &["1.2.3+build", "latest"])).unwrap();
        let made: Vec<String> = made.iter().map(ToString::to_string).collect();
        assert_eq!(made, ["r.example.com/shop/web:1.2.3_build", "r.example.com/shop/web:latest"]);
        assert_eq!(references(&publish_to("web", &[])).unwrap()[0].to_string(), "web:latest");
        assert!(references(&publish_to("web", &["a b"])).unwrap_err().message().contains("\"a b\" is not a valid tag"));
        assert!(references(&publish_to("Web", &[])).unwrap_err().message().contains("not a valid repository"));
    }
}
