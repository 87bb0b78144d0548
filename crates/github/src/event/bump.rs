//! The part of the version that a pull request's labels raise.

use ami_bake_core::version::Bump;

/// The greatest version part that a label names, such as `major`, `bump:minor`, `semver/patch` or `release-major`.
pub(super) fn of_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> Option<Bump> {
    let bumps = labels.into_iter().filter_map(of_label);
    bumps.max_by_key(|bump| match bump {
        Bump::Patch => 0,
        Bump::Minor => 1,
        Bump::Major => 2,
    })
}

fn of_label(label: &str) -> Option<Bump> {
    let label = label.trim().to_ascii_lowercase();
    let word = match label.split_once([':', '/', '-', ' ']) {
        Some(("bump" | "semver" | "release" | "version", word)) => word.trim(),
        Some(_) => return None,
        None => &label,
    };
    match word {
        "major" => Some(Bump::Major),
        "minor" => Some(Bump::Minor),
        "patch" => Some(Bump::Patch),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_label_counts_and_talk_does_not() {
        assert_eq!(of_labels(["bug", "bump:minor", "semver/major", "patch"]), Some(Bump::Major));
        assert_eq!(of_labels(["bump: Minor"]), Some(Bump::Minor));
        assert_eq!(of_labels(["no-major", "minor changes", "majors", "dependencies"]), None);
    }
}
