//! References of images: `registry/path:tag`, and what an image's own name becomes as one.

use ami_bake_core::{Error, Result};

/// The registry that a reference without one means.
pub(crate) const HUB: &str = "docker.io";
/// The tag that a reference without one means.
const LATEST: &str = "latest";

/// A repository and a tag or digest in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// As it was written: `ubuntu`, `registry.example.com/shop/web`.
    pub(crate) repository: String,
    /// A tag, or a digest `sha256:…`.
    pub(crate) tag: String,
}

impl Reference {
    /// Reads a reference, which has the tag `latest` when it has none.
    ///
    /// # Errors
    /// When it is none (distribution's reference grammar).
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        let (repository, tag) = without_tag(name);
        let tag = digest.or(tag).unwrap_or(LATEST).to_owned();
        let digest = tag.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && is_hex(hex));
        if !is_repository(repository) || !(digest || is_tag(&tag)) {
            return Err(Error::preflight(format!("use {text:?} as an image: it is no reference of one"))
                .help("Write it as ubuntu:24.04, registry.example.com/team/image:tag, image@sha256:… or sha256:…."));
        }
        Ok(Self { repository: repository.to_owned(), tag })
    }

    /// The host of its registry.
    pub(crate) fn registry(&self) -> &str {
        registry(&self.repository)
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let between = if self.tag.contains(':') { '@' } else { ':' };
        write!(f, "{}{between}{}", self.repository, self.tag)
    }
}

/// The host of a repository's registry: its first part, where that looks like a host.
pub(crate) fn registry(repository: &str) -> &str {
    match repository.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

/// Whether a text is an image's id, whole or shortened as `docker images` shows it.
pub(crate) fn is_id(text: &str) -> bool {
    match text.strip_prefix("sha256:") {
        Some(hex) => hex.len() == 64 && is_hex(hex),
        None => matches!(text.len(), 12 | 64) && is_hex(text),
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The tag stands after a colon in the last part; one before it is a port's.
fn without_tag(text: &str) -> (&str, Option<&str>) {
    let last = text.rfind('/').map_or(0, |at| at + 1);
    match text[last..].split_once(':') {
        Some((name, tag)) => (&text[..last + name.len()], Some(tag)),
        None => (text, None),
    }
}

/// Whether a text is a repository, with or without its registry.
pub(crate) fn is_repository(text: &str) -> bool {
    let path = match registry(text) {
        host if text.starts_with(host) && host != text => &text[host.len() + 1..],
        _ => text,
    };
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let good = |part: &str| {
        let inside = |byte: u8| edge(Some(byte)) || matches!(byte, b'.' | b'_' | b'-');
        edge(part.bytes().next()) && edge(part.bytes().last()) && part.bytes().all(inside)
    };
    text.len() <= 255 && path.split('/').all(good)
}

/// Whether a text is a tag.
pub(crate) fn is_tag(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    first && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// An image's name as a reference: what follows the last slash is the tag, `shop/web/1.2.3` is `shop/web:1.2.3`, and a
/// name without one has the tag `latest`. Upper case becomes lower case and what can't stand in a reference a hyphen.
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
