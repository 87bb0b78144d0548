//! What is different from the previous version: packages, tests, size and time, image by image.

use ami_bake_core::duration::human;
use ami_bake_core::report::{ImageReport, Report, Status};

use super::images::passed;
use super::packages::{changes_since, counts};
use crate::context::Context;
use crate::markdown::{Block, heading, table};

/// The comparison with the report of the previous version, or why there is none.
pub(super) fn comparison(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let Some(previous) = context.previous else {
        let why = context.no_previous.map(|why| format!("Nothing to compare with: {}.\n\n", escape.text(why)));
        return why.map(|why| Block::whole("the comparison", why)).into_iter().collect();
    };
    let rows: Vec<Vec<String>> = report
        .images
        .iter()
        .filter_map(|image| {
            let before = previous.image(&image.key)?;
            let cells = [
                versions(before, image).map(|change| escape.text(&change)),
                changes_since(image, Some(previous)).map(|(changes, _)| match counts(&changes) {
                    parts if parts.is_empty() => "unchanged".to_owned(),
                    parts => parts.join(", "),
                }),
                tests(before, image),
                size(before, image),
                time(before, image),
            ];
            cells.iter().any(Option::is_some).then(|| {
                let cells = cells.into_iter().map(Option::unwrap_or_default);
                [escape.text(&image.name)].into_iter().chain(cells).collect()
            })
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let from = context.previous_from.unwrap_or("an earlier report");
    vec![
        heading("the comparison", &format!("Compared with {}", escape.text(from))),
        table("the comparison", &["image", "version", "packages", "tests", "size", "time"], &rows),
    ]
}

fn versions(before: &ImageReport, now: &ImageReport) -> Option<String> {
    Some(change(&before.version.as_ref()?.to_string(), &now.version.as_ref()?.to_string()))
}

/// Passed tests of all; known only of images that were tested in both runs.
fn tests(before: &ImageReport, now: &ImageReport) -> Option<String> {
    let of = |image: &ImageReport| passed(image).map(|(passed, all)| format!("{passed} of {all}"));
    Some(change(&of(before)?, &of(now)?))
}

fn size(before: &ImageReport, now: &ImageReport) -> Option<String> {
    let of = |image: &ImageReport| image.image.as_ref()?.size.map(bytes);
    Some(change(&of(before)?, &of(now)?))
}

/// How long a bake took; what is reused takes no time.
fn time(before: &ImageReport, now: &ImageReport) -> Option<String> {
    let of = |image: &ImageReport| (image.status == Status::Baked).then(|| human(image.took));
    Some(change(&of(before)?, &of(now)?))
}

fn change(before: &str, now: &str) -> String {
    if before == now { now.to_owned() } else { format!("{before} → {now}") }
}

/// `8 GiB`, `312.4 MiB`: in the largest unit of which it has one.
fn bytes(size: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let Some((unit, one)) = UNITS.into_iter().find(|(_, one)| size >= *one) else { return format!("{size} B") };
    let tenths = size / (one / 10).max(1);
    if size.is_multiple_of(one) {
        format!("{} {unit}", size / one)
    } else {
        format!("{}.{} {unit}", size / one, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_core::mask::Masker;
    use ami_bake_testkit::report;

    use super::*;

    fn text(context: &Context<'_>) -> String {
        comparison(&report::good(), context).iter().map(Block::text).collect()
    }

    #[test]
    fn what_changed_is_in_one_table() {
        let (masker, mut previous) = (Masker::default(), report::before());
        for image in &mut previous.images {
            image.took += std::time::Duration::from_mins(2);
            image.image.iter_mut().for_each(|image| image.size = Some(8 << 30));
        }
        let context =
            Context { previous: Some(&previous), previous_from: Some("release v1.3.0"), ..Context::new(&masker) };
        let text = text(&context);
        assert!(
            text.starts_with("### Compared with release v1.3.0\n\n| image | version | packages | tests |"),
            "{text}"
        );
        assert!(text.contains("1.3.0 → 1.4.0"), "{text}");
    }

    #[test]
    fn without_a_report_the_reason_is_said() {
        let masker = Masker::default();
        assert_eq!(text(&Context::new(&masker)), "");
        let context = Context { no_previous: Some("no release has a bake-report.json"), ..Context::new(&masker) };
        assert_eq!(text(&context), "Nothing to compare with: no release has a bake-report.json.\n\n");
    }

    #[test]
    fn sizes_are_in_the_largest_unit() {
        for (size, shown) in [
            (0, "0 B"),
            (1 << 10, "1 KiB"),
            (3 << 19, "1.5 MiB"),
            (8 << 30, "8 GiB"),
            ((8 << 30) + (1 << 29), "8.5 GiB"),
        ] {
            assert_eq!(bytes(size), shown);
        }
    }
}
