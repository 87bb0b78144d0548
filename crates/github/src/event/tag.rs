//! Interprets the name of a tag for the images of a manifest.

use semver::Version;

/// Names by which a tag can refer to images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Name of the manifest: a tag with it is for all of its images.
    pub manifest: String,
    /// Names of the manifest's images and their variants.
    pub images: Vec<String>,
}

/// Meaning of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tag {
    /// A version.
    Version {
        /// The version.
        version: Version,
        /// The image that the tag is for. Default: all.
        image: Option<String>,
        /// How the version was read, if it differs from the text.
        notice: Option<String>,
    },
    /// `v1.4`: a version without a patch number, or a tag that moves with the versions 1.4.x.
    Short {
        /// The version, if it is one.
        version: Version,
        /// The image that the tag is for. Default: all.
        image: Option<String>,
        /// The text before the number: `v`, `web-v`.
        prefix: String,
    },
    /// `v1`: a tag that moves with the versions 1.x.
    Floating,
    /// A version of something that is not in the manifest.
    Foreign,
    /// No version.
    Other,
}

/// Separators between a name and a version.
const SEPARATORS: [char; 3] = ['@', '-', '/'];

/// The meaning of `tag` for these images.
pub(super) fn read(tag: &str, names: &Names) -> Tag {
    if let Some(number) = Number::parse(tag) {
        return number.tag(tag, None);
    }
    let after = |name: &str| tag.strip_prefix(name).and_then(|rest| rest.strip_prefix(SEPARATORS));
    if let Some(number) = after(&names.manifest).and_then(Number::parse) {
        return number.tag(tag, None);
    }
    for image in &names.images {
        if let Some(number) = after(image).and_then(Number::parse) {
            return number.tag(tag, Some(image.clone()));
        }
    }
    let foreign = tag.match_indices(SEPARATORS).any(|(at, _)| {
        let rest = &tag[at + 1..];
        // Digits alone are a date or a serial number: `nightly-20260105`.
        Number::parse(rest).is_some_and(|number| number.parts() > 1 || rest.starts_with(['v', 'V']))
    });
    if foreign { Tag::Foreign } else { Tag::Other }
}

/// The version in the tag of a release, of whatever it is.
pub(crate) fn version(tag: &str) -> Option<Version> {
    let rests = std::iter::once(tag).chain(tag.match_indices(SEPARATORS).map(|(at, _)| &tag[at + 1..]));
    rests.filter_map(Number::parse).find_map(|number| match number {
        Number::Full { version, .. } => Some(version),
        Number::Short(..) | Number::Major => None,
    })
}

/// The number in a tag.
enum Number {
    /// Three parts: `1.2.3`.
    Full { version: Version, zeros: bool },
    /// Two parts: `1.2`.
    Short(u64, u64),
    /// One part: `1`.
    Major,
}

impl Number {
    /// Parses `1.2.3` with or without a `v`. Numbers of calendar versions may have leading zeros.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        if let Ok(version) = Version::parse(text) {
            return Some(Self::Full { version, zeros: false });
        }
        let core = text.split(['-', '+']).next()?;
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u64>().ok())?;
        let parts: Vec<u64> = core.split('.').map(number).collect::<Option<_>>()?;
        match (parts.as_slice(), &text[core.len()..]) {
            (&[major, minor, patch], rest) => {
                let version = Version::parse(&format!("{major}.{minor}.{patch}{rest}")).ok()?;
                Some(Self::Full { version, zeros: true })
            }
            (&[major, minor], "") => Some(Self::Short(major, minor)),
            (&[_], "") => Some(Self::Major),
            _ => None,
        }
    }

    fn parts(&self) -> u8 {
        match self {
            Self::Full { .. } => 3,
            Self::Short(..) => 2,
            Self::Major => 1,
        }
    }

    fn tag(self, tag: &str, image: Option<String>) -> Tag {
        match self {
            Self::Full { version, zeros } => {
                let notice = if zeros {
                    Some(format!("Tag {tag} is version {version}: the numbers of a version have no leading zeros"))
                } else {
                    let capital = tag.contains(&format!("V{}", version.major));
                    capital.then(|| format!("Tag {tag} is version {version}"))
                };
                Tag::Version { version, image, notice }
            }
            Self::Short(major, minor) => {
                let end = tag.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |at| at + 1);
                Tag::Short { version: Version::new(major, minor, 0), image, prefix: tag[..end].to_owned() }
            }
            Self::Major => Tag::Floating,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names { manifest: "shop".to_owned(), images: ["web", "web-arm64", "v2-api"].map(str::to_owned).to_vec() }
    }

    fn of(tag: &str) -> Tag {
        read(tag, &names())
    }

    #[test]
    fn a_version_is_for_all_images_or_for_the_one_that_is_named() {
        for (tag, expected, whose) in [
            ("v1.2.3", "1.2.3", None),
            ("1.2.3", "1.2.3", None),
            ("V1.2.3", "1.2.3", None),
            ("v1.2.3-rc.1", "1.2.3-rc.1", None),
            ("v2026.01.05", "2026.1.5", None),
            ("shop@1.2.3", "1.2.3", None),
            ("shop-v1.2.3", "1.2.3", None),
            ("shop/v1.2.3", "1.2.3", None),
            ("web-1.2.3", "1.2.3", Some("web")),
            ("web/v1.2.3+b.1", "1.2.3+b.1", Some("web")),
            ("web-arm64@1.2.3", "1.2.3", Some("web-arm64")),
            ("v2-api-v1.2.3", "1.2.3", Some("v2-api")),
        ] {
            let Tag::Version { version, image, notice } = of(tag) else { panic!("{tag}") };
            assert_eq!((version.to_string().as_str(), image.as_deref()), (expected, whose), "{tag}");
            assert_eq!(notice.is_some(), ["V1.2.3", "v2026.01.05"].contains(&tag), "{tag}: {notice:?}");
        }
    }

    #[test]
    fn other_tags_are_no_versions_of_the_images() {
        for tag in ["docs-v9.9.9", "docs-v9", "@scope/pkg@1.0.0", "release-1.2", "webs-v1.0.0", "nightly-2026.01.05"] {
            assert_eq!(of(tag), Tag::Foreign, "{tag}");
        }
        for tag in ["nightly", "nightly-20260105", "v1.2.3.4", "v1.0.0-rc.01", "latest", "v", "", "v1.x", "web-"] {
            assert_eq!(of(tag), Tag::Other, "{tag}");
        }
        for tag in ["v1", "V1", "web-v1", "20260105"] {
            assert_eq!(of(tag), Tag::Floating, "{tag}");
        }
        let short = |image: Option<&str>, prefix: &str| Tag::Short {
            version: Version::new(1, 4, 0),
            image: image.map(str::to_owned),
            prefix: prefix.to_owned(),
        };
        assert_eq!((of("v1.4"), of("web-v1.4")), (short(None, "v"), short(Some("web"), "web-v")));
        assert_eq!(of("1.4"), short(None, ""));
    }

    #[test]
    fn releases_of_anything_are_compared_by_their_versions() {
        for tag in ["v1.2.3", "docs-v1.2.3", "@scope/pkg@1.2.3", "V1.2.3"] {
            assert_eq!(version(tag), Some(Version::new(1, 2, 3)), "{tag}");
        }
        assert_eq!((version("nightly"), version("v1.2")), (None, None));
    }
}
