//! Compares package versions. Hand-written: no well-kept crate has rpm's order, which must also fit dpkg's versions.

use std::cmp::Ordering;

/// Compares two versions like rpm (rpmvercmp), which gives dpkg's order too for the versions that occur: epochs first,
/// then runs of digits as numbers and runs of letters as text; `~` precedes everything, and the longer version is
/// newer.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let epoch = |text: &str| -> (u64, String) {
        match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => {
                (epoch.parse().unwrap_or(0), rest.to_owned())
            }
            _ => (0, text.to_owned()),
        }
    };
    let ((epoch_a, a), (epoch_b, b)) = (epoch(a), epoch(b));
    let ((version_a, release_a), (version_b, release_b)) = (parts(&a), parts(&b));
    let by = |a: &str, b: &str| segments(a).cmp(&segments(b));
    epoch_a.cmp(&epoch_b).then_with(|| by(version_a, version_b)).then_with(|| by(release_a, release_b))
}

/// The upstream version and the packager's release.
fn parts(text: &str) -> (&str, &str) {
    text.rsplit_once('-').unwrap_or((text, ""))
}

/// A part of a version. Parts in the same position compare in the order of the variants; `End` comes after the last
/// part.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Tilde,
    End,
    Letters(String),
    /// The number of digits without leading zeros, then the digits: this compares numbers of any length.
    Digits(usize, String),
}

fn segments(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = |is: fn(&char) -> bool| rest.chars().take_while(is).map(char::len_utf8).sum::<usize>();
        let length = if first.is_ascii_digit() {
            let length = run(char::is_ascii_digit);
            let digits = rest[..length].trim_start_matches('0');
            parts.push(Part::Digits(digits.len(), digits.to_owned()));
            length
        } else if first.is_ascii_alphabetic() {
            let length = run(char::is_ascii_alphabetic);
            parts.push(Part::Letters(rest[..length].to_owned()));
            length
        } else {
            if first == '~' {
                parts.push(Part::Tilde);
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    parts.push(Part::End);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_dpkg_and_rpm_are_ordered() {
        let ascending = [
            "1.0~rc1",
            "1.0",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb12u1",
            "1.0-1+deb12u2",
            "1.0-2",
            "1.0.1",
            "1.9",
            "1.10",
            "1.10.00000000000000000000000000002",
            "1:0.1",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare("5.14.0-362.el9", "5.14.0-362.el9"), Ordering::Equal);
        assert_eq!(compare("1.01", "1.1"), Ordering::Equal);
    }
}
