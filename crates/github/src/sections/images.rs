//! The table of the images.

use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::plan::Phase;
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::report::{ImageReport, Report, Status, StepResult};
use jiff::Timestamp;

use crate::console;
use crate::context::Context;
use crate::markdown::{Block, Escape, table};

pub(crate) fn images(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let rows: Vec<Vec<String>> = report.images.iter().map(|image| row(image, report, context)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let head = ["image", "version", "result", "id", "source", "tests", "time"];
    vec![table("images", &head, &rows)]
}

/// The reasons why images were baked.
pub(super) fn reasons(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let line = |image: &ImageReport| {
        let reason = image.reason.as_deref()?;
        Some(format!("- <b>{}</b>: {}\n", escape.text(&image.name), escape.text(reason)))
    };
    let lines: Vec<String> = report.images.iter().filter_map(line).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    vec![Block {
        about: "the reasons".to_owned(),
        open: "Baked because:\n\n".to_owned(),
        lines,
        close: "\n".to_owned(),
        keep_end: false,
        more: Some("- … and {} more\n".to_owned()),
    }]
}

fn row(image: &ImageReport, report: &Report, context: &Context<'_>) -> Vec<String> {
    let escape = context.escape();
    let record = image.image.as_ref();
    let version = record.map(|record| &record.version).or(image.version.as_ref());
    let id = record.map(|record| {
        let region = record.region.as_deref().or(report.region.as_deref());
        linked(escape, region, &record.id)
    });
    vec![
        format!("<b>{}</b>", escape.text(&image.name)),
        version.map(|version| escape.code(&version.to_string())).unwrap_or_default(),
        together(&format!("{} {}", sign(image.status), word(image.status))),
        id.unwrap_or_default(),
        source(image, report.started, escape),
        tests(image),
        if image.took.is_zero() { String::new() } else { together(&human(image.took)) },
    ]
}

/// How many tests passed, and whether the image was tested without a login.
fn tests(image: &ImageReport) -> String {
    let passed = passed(image).map(|(passed, all)| format!("{passed}/{all}"));
    let outside = image.image.as_ref().is_some_and(ImageRecord::tested_without_login);
    let how = outside.then(|| together("without a login"));
    passed.into_iter().chain(how).collect::<Vec<_>>().join("<br>")
}

/// Keeps a short text on one line of a cell.
pub(super) fn together(text: &str) -> String {
    text.replace(' ', "&nbsp;")
}

/// An ID, linked to its console page if it has one.
pub(super) fn linked(escape: Escape<'_>, region: Option<&str>, id: &str) -> String {
    let code = escape.code(id);
    match region.and_then(|region| console::image(region, id)) {
        Some(page) => format!("[{code}]({page})"),
        None => code,
    }
}

fn sign(status: Status) -> &'static str {
    match status {
        Status::Baked | Status::Registered | Status::Validated | Status::Tested => "✅",
        Status::Reused => "♻️",
        Status::Failed => "❌",
        Status::Skipped => "⏭️",
        Status::Cancelled => "🚫",
        Status::Pending => "⏳",
    }
}

fn word(status: Status) -> &'static str {
    if status == Status::Reused { "unchanged" } else { status.as_str() }
}

/// Name and age of the source.
fn source(image: &ImageReport, now: Option<Timestamp>, escape: Escape<'_>) -> String {
    let Some(source) = &image.source else { return String::new() };
    let name = if source.name.is_empty() { &source.id } else { &source.name };
    let age = source.created.zip(now).and_then(|(created, now)| age(created, now));
    format!(
        "{}{}",
        escape.code(name),
        age.map(|age| format!("<br>{}", together(&format!("{age} old")))).unwrap_or_default()
    )
}

/// An age in days or hours; none for a time in the future.
fn age(created: Timestamp, now: Timestamp) -> Option<String> {
    let age = Duration::try_from(now.duration_since(created)).ok()?;
    let hours = age.as_secs() / 3600;
    Some(match (hours / 24, hours) {
        (0, 0) => "less than an hour".to_owned(),
        (0, hours) => super::count::count(usize::try_from(hours).ok()?, "hour"),
        (days, _) => super::count::count(usize::try_from(days).ok()?, "day"),
    })
}

/// How many of the tests passed; none when no test ran.
pub(super) fn passed(image: &ImageReport) -> Option<(usize, usize)> {
    let tests = || image.steps.iter().filter(|step| step.phase == Phase::Test);
    let passed = tests().filter(|step| step.result == Some(StepResult::Passed)).count();
    let all = tests().count();
    (all > 0).then_some((passed, all))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn ages_are_in_days() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let age_of = |created: &str| age(created.parse().unwrap(), now);
        assert_eq!(age_of("2026-11-20T12:00:00Z").as_deref(), Some("1 day"));
        assert_eq!(age_of("2026-11-21T09:30:00Z").as_deref(), Some("2 hours"));
        assert_eq!(age_of("2026-11-21T11:59:00Z").as_deref(), Some("less than an hour"));
        assert_eq!(age_of("2026-11-22T00:00:00Z"), None);
    }
}
