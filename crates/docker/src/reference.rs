//! Image references, `registry/path:tag`, and the conversion of an image's name to one.

use ami_bake_core::{Error, Result};
use container_image_dist_ref::ImgRef;

/// Registry of references without a registry.
pub(crate) const HUB: &str = "docker.io";
/// Tag of references without a tag.
const LATEST: &str = "latest";

/// A repository and a tag or digest in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The repository as it was written: `ubuntu`, `registry.example.com/shop/web`.
    pub(crate) repository: String,
    /// A tag, or a digest `sha256:…`.
    pub(crate) tag: String,
}

impl Reference {
    /// Parses a reference. Without a tag it has the tag `latest`; of a tag and a digest the digest counts.
    ///
    /// # Errors
    /// When `text` is not a valid reference.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let parsed = ImgRef::new(text).map_err(|_| {
            Error::preflight(format!("could not use {text:?} as an image: it is not a valid image reference"))
                .help("Examples: ubuntu:24.04, registry.example.com/team/image:tag, image@sha256:…, sha256:….")
        })?;
        let digest = parsed.digest().map(|digest| digest.to_str().to_owned());
        let tag = digest.or(parsed.tag().map(str::to_owned)).unwrap_or_else(|| LATEST.to_owned());
        Ok(Self { repository: parsed.name().to_str().to_owned(), tag })
    }

    /// The host of the repository's registry.
    pub(crate) fn registry(&self) -> &str {
        registry(&self.repository)
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let separator = if self.tag.contains(':') { '@' } else { ':' };
        write!(f, "{}{separator}{}", self.repository, self.tag)
    }
}

/// The host of a repository's registry: its first part, when that looks like a host (distribution/reference,
/// `splitDockerDomain`).
pub(crate) fn registry(repository: &str) -> &str {
    match repository.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

/// Whether `text` is an image id, whole or shortened as `docker images` prints it.
pub(crate) fn is_id(text: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match text.strip_prefix("sha256:") {
        Some(hex) => hex.len() == 64 && is_hex(hex),
        None => matches!(text.len(), 12 | 64) && is_hex(text),
    }
}

/// Whether `text` is a repository, with or without its registry.
pub(crate) fn is_repository(text: &str) -> bool {
    ImgRef::new(text).is_ok_and(|parsed| parsed.name().to_str() == text)
}

/// Whether `text` is a tag.
pub(crate) fn is_tag(text: &str) -> bool {
    ImgRef::new(&format!("image:{text}")).is_ok_and(|parsed| parsed.tag() == Some(text))
}

/// The reference for an image's name: what follows the last slash is the tag (`shop/web/1.2.3` is `shop/web:1.2.3`),
/// and a name without a slash gets the tag `latest`. Upper case becomes lower case, and invalid characters become
/// hyphens.
pub(crate) fn of_name(name: &str) -> Reference {
    let (path, tag) = match name.rsplit_once('/') {
        Some((path, tag)) => (path, tag),
        None => (name, LATEST),
    };
    let part = |part: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        let text: String =
            part.chars().map(|c| c.to_ascii_lowercase()).map(|c| if fits(c) { c } else { '-' }).collect();
        let text = text.trim_matches(['.', '_', '-']).to_owned();
        if text.is_empty() { "image".to_owned() } else { text }
    };
    let repository = path.split('/').map(part).collect::<Vec<_>>().join("/");
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let tag: String = tag.chars().map(|c| if fits(c) { c } else { '-' }).take(128).collect();
    let tag = tag.trim_start_matches(['.', '-']).to_owned();
    Reference { repository, tag: if tag.is_empty() { LATEST.to_owned() } else { tag } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_docker_does() {
        let read = |text: &str| Reference::parse(text).map(|found| (found.repository.clone(), found.tag));
        assert_eq!(read("ubuntu").unwrap(), ("ubuntu".into(), "latest".into()));
        assert_eq!(read("ubuntu:24.04").unwrap(), ("ubuntu".into(), "24.04".into()));
        assert_eq!(read("127.0.0.1:5000/a/b").unwrap(), ("127.0.0.1:5000/a/b".into(), "latest".into()));
        assert_eq!(read("host:5000/a:1").unwrap(), ("host:5000/a".into(), "1".into()));
        let digest = format!("sha256:{}", "a".repeat(64));
        let pinned = Reference::parse(&format!("ubuntu:24.04@{digest}")).unwrap();
        assert_eq!((pinned.tag.as_str(), pinned.to_string()), (digest.as_str(), format!("ubuntu@{digest}")));
        for wrong in ["", "Ubuntu", "a b", "ubuntu:", "ubuntu:-x", "/ubuntu", "ubuntu@sha256:12", "a//b"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn registries_are_hosts() {
        for (repository, host) in
            [("ubuntu", HUB), ("shop/web", HUB), ("localhost/web", "localhost"), ("r.example.com/w", "r.example.com")]
        {
            assert_eq!(registry(repository), host);
        }
    }

    #[test]
    fn names_become_references() {
        assert_eq!(of_name("shop/web/1.2.3").to_string(), "shop/web:1.2.3");
        assert_eq!(of_name("Shop/Web-arm64/1.0.0-pr.7.abc").to_string(), "shop/web-arm64:1.0.0-pr.7.abc");
        assert_eq!(of_name("nginx").to_string(), "nginx:latest");
        assert_eq!(of_name("a b/ü/1.0.0_b").to_string(), "a-b/image:1.0.0_b");
        for name in ["shop/web/1.2.3", "x/y/", "-/-/-", "ami-bake-candidate/shop/web/0.1.0/12ab"] {
            let made = of_name(name).to_string();
            assert_eq!(Reference::parse(&made).unwrap().to_string(), made);
        }
    }
}
