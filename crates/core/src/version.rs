//! Versions of images (docs/dev/lifecycle.md, "The version").

use semver::{BuildMetadata, Prerelease, Version};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The part of the version that an automatic version raises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bump {
    /// 1.2.3 → 2.0.0
    Major,
    /// 1.2.3 → 1.3.0
    Minor,
    /// 1.2.3 → 1.2.4
    #[default]
    Patch,
}

/// The first version of an image that was never published.
const FIRST: Version = Version::new(0, 1, 0);

/// The version that follows the highest final one of `published`.
pub fn next<'a>(published: impl IntoIterator<Item = &'a Version>, bump: Bump) -> Version {
    let highest = published.into_iter().filter(|version| version.pre.is_empty()).max();
    let Some(highest) = highest else { return FIRST };
    match bump {
        Bump::Major => Version::new(highest.major + 1, 0, 0),
        Bump::Minor => Version::new(highest.major, highest.minor + 1, 0),
        Bump::Patch => Version::new(highest.major, highest.minor, highest.patch + 1),
    }
}

/// `BASE-IDENTIFIERS`: the version of a pull request (`pr.7.1a2b3c4`) or of a branch (`dev.42`).
///
/// # Errors
/// When the identifiers are not valid in a semantic version.
pub fn prerelease(base: &Version, identifiers: &str) -> Result<Version> {
    let pre = Prerelease::new(identifiers).map_err(|error| {
        Error::manifest(format!("could not make a version of {base} and the pre-release {identifiers:?}"))
            .because(error)
    })?;
    Ok(Version { pre, build: BuildMetadata::EMPTY, ..base.clone() })
}

/// Reads a version that a person gave: a semantic version, or one to three numbers that become one. `2026.01.05` and
/// `2026-01-05` are 2026.1.5, `1.4` is 1.4.0, and the build number `1234` is 1234.0.0, so that later ones are higher.
///
/// # Errors
/// When it is neither; the text says what to do.
pub fn read(text: &str) -> std::result::Result<Version, String> {
    let bare = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let error = match Version::parse(bare) {
        Ok(version) => return Ok(version),
        Err(error) => error,
    };
    let end = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
    // A date has hyphens between all of its numbers; behind dots, a hyphen begins a pre-release.
    let is_date = !bare.contains('.') && bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let (core, rest, separator) = if is_date { (bare, "", '-') } else { (&bare[..end], &bare[end..], '.') };
    let numbers: Option<Vec<u64>> = core.split(separator).map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[major, ref others @ ..]) if others.len() < 3 && (rest.is_empty() || rest.starts_with(['-', '+'])) => {
            let part = |index: usize| others.get(index).copied().unwrap_or(0);
            Version::parse(&format!("{major}.{}.{}{rest}", part(0), part(1)))
                .map_err(|error| format!("{error}; {EXPECTED}"))
        }
        Some(_) if rest.is_empty() => Err(format!("a version has three numbers at most; {EXPECTED}")),
        _ => Err(format!("{error}; {EXPECTED}")),
    }
}

const EXPECTED: &str = "expected a semantic version such as 1.2.3, a date such as 2026.01.05, or a build number";

/// Whether a version is in a range. Without a range every release is, but no pre-release.
pub fn in_range(version: &Version, range: Option<&semver::VersionReq>) -> bool {
    range.map_or(version.pre.is_empty(), |range| range.matches(version))
}

/// The version as written in an image's name: AMI names can't contain `+`, so build metadata follows `_`, which no
/// semantic version contains (EC2 API, RegisterImage, Name).
pub fn in_name(version: &Version) -> String {
    version.to_string().replace('+', "_")
}

/// Parses a version range in semver's syntax, or Image Builder's `2.x.x`.
///
/// # Errors
/// When the text is neither.
pub fn range(text: &str) -> Result<semver::VersionReq> {
    let text = text.trim();
    let spelled = image_builder_range(text).unwrap_or_else(|| text.to_owned());
    semver::VersionReq::parse(&spelled).map_err(|error| {
        Error::manifest(format!("{text:?} is not a version range"))
            .help("Use a range such as \"^2.1\", \">=1.4, <2\" or \"2.x.x\".")
            .because(error)
    })
}

/// Translates Image Builder's syntax to semver's: `2.x.x` is `2.*`, `x.x.x` is `*`. A bare `2.1.0` means exactly that
/// version, as in Image Builder; semver would read it as `^2.1.0`.
fn image_builder_range(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('.').collect();
    let is_wild = |part: &str| matches!(part, "x" | "X" | "*");
    if parts.len() > 3 || !parts.iter().all(|part| is_wild(part) || part.parse::<u64>().is_ok()) {
        return None;
    }
    let fixed: Vec<&str> = parts.iter().copied().take_while(|part| !is_wild(part)).collect();
    Some(match fixed.len() {
        3 => format!("={}", fixed.join(".")),
        0 => "*".to_owned(),
        _ => format!("{}.*", fixed.join(".")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_build_numbers_are_versions_in_their_order() {
        for (text, wanted) in [
            ("1.2.3", "1.2.3"),
            ("v1.2.3-rc.1+5", "1.2.3-rc.1+5"),
            ("2026.01.05", "2026.1.5"),
            ("2026-01-05", "2026.1.5"),
            ("V2026.01.05-rc.1", "2026.1.5-rc.1"),
            ("2026.08", "2026.8.0"),
            ("1.4", "1.4.0"),
            ("1.4-rc.1", "1.4.0-rc.1"),
            ("20260105", "20260105.0.0"),
            ("0042", "42.0.0"),
        ] {
            assert_eq!(read(text).map(|version| version.to_string()).as_deref(), Ok(wanted), "{text}");
        }
        for order in [["2026.09.30", "2026.10.01"], ["9", "10"], ["2026-12-31", "2027-01-01"]] {
            assert!(read(order[0]).unwrap() < read(order[1]).unwrap(), "{order:?}");
        }
        for text in [
            "",
            "v",
            "nightly",
            "1.2.3.4",
            "2026-01-05-2",
            "1.",
            "1..2",
            "1.2.x",
            "-1",
            "1.2.3-",
            "99999999999999999999",
        ] {
            assert!(read(text).unwrap_err().contains("expected a semantic version"), "{text}");
        }
    }

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn next_follows_the_highest_final_version() {
        let published = ["1.2.3", "1.10.0", "2.0.0-pr.1.abc"].map(version);
        assert_eq!(next(&published, Bump::Patch), version("1.10.1"));
        assert_eq!(next(&published, Bump::Minor), version("1.11.0"));
        assert_eq!(next(&published, Bump::Major), version("2.0.0"));
        assert_eq!(next(&[], Bump::Major), FIRST);
    }

    #[test]
    fn ranges_in_both_spellings() {
        assert!(range("2.x.x").unwrap().matches(&version("2.7.1")));
        assert!(!range("2.x.x").unwrap().matches(&version("3.0.0")));
        assert!(range("x.x.x").unwrap().matches(&version("3.0.0")));
        assert!(range("^2.1").unwrap().matches(&version("2.4.0")));
        assert!(!range("2.1.0").unwrap().matches(&version("2.1.1")));
        assert!(range("two").unwrap_err().help_text().is_some());
    }

    #[test]
    fn names_hold_no_plus() {
        assert_eq!(in_name(&version("1.2.3+build.5")), "1.2.3_build.5");
        assert_eq!(prerelease(&version("1.2.3"), "pr.7.1a2b3c4").unwrap().to_string(), "1.2.3-pr.7.1a2b3c4");
        // A numeric identifier with a leading zero is invalid.
        assert!(prerelease(&version("1.2.3"), "pr.7.01").is_err());
    }
}
