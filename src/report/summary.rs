//! Formats the end of a run: failures with their reasons, and a table of the images.

use ami_bake_core::ErrorKind;
use ami_bake_core::duration::human;
use ami_bake_core::error::UNCLEAN;
use ami_bake_core::event::{Event, Failure};
use ami_bake_core::platform::ImageRecord;
use ami_bake_core::report::{ImageReport, Report, Status, StepResult};

use super::reporter::Explain;
use crate::table::{Cell, table};
use crate::ui::Paint;

/// Lines of a failed step's log that are repeated below its failure.
const LOG_LINES: usize = 10;

/// Each failure with the end of its log, then the resources that still exist.
pub(crate) fn problems(report: &Report, explain: &Explain, paint: Paint) -> String {
    let mut out = String::new();
    for image in report.images.iter().filter(|image| image.status == Status::Failed) {
        let Some(failure) = &image.failure else { continue };
        out.push('\n');
        let step = image.steps.iter().rfind(|step| step.result == Some(StepResult::Failed));
        let log = step.map(|step| &step.log[step.log.len().saturating_sub(LOG_LINES)..]).unwrap_or_default();
        out.push_str(&explain(&without_log(failure, log)));
        if let Some(step) = step {
            if !log.is_empty() {
                out.push_str(&format!("\nLast lines of {} ({}):\n", paint.bold(&step.name), image.name));
            }
            for line in log {
                out.push_str(&format!("  {} {line}\n", paint.dim("|")));
            }
        }
    }
    for kept in &report.kept {
        out.push_str(&format!("\n{} {}\n  {}\n", paint.odd("kept:"), kept.what, kept.why));
    }
    for left in &report.left {
        out.push_str(&format!("\n{} {}\n  {}\n", paint.odd("left behind:"), left.what, left.why));
    }
    if !report.left.is_empty() {
        out.push_str(&format!("{} run `ami-bake sweep --yes` to delete what is left.\n", paint.help("help:")));
    }
    out
}

/// The failure without causes that only quote these lines, which are shown below it.
fn without_log(failure: &Failure, log: &[String]) -> Failure {
    let is_shown = |line: &str| log.iter().any(|shown| shown.trim().starts_with(line.trim().trim_end_matches('…')));
    // A quote begins with what it quotes: in a line of its own, or before a single line.
    let quotes = |cause: &&String| match cause.trim_end().split_once('\n') {
        Some((_, lines)) => lines.lines().all(is_shown),
        None => cause.split_once(": ").is_some_and(|(_, line)| is_shown(line)),
    };
    Failure { causes: failure.causes.iter().filter(|cause| !quotes(cause)).cloned().collect(), ..failure.clone() }
}

/// The table of the images.
pub(crate) fn images(report: &Report, paint: Paint) -> String {
    let rows: Vec<Vec<Cell>> = report.images.iter().map(row).collect();
    if rows.is_empty() {
        String::new()
    } else {
        table(&["image", "version", "result", "id", "name", "time"], &rows, paint)
    }
}

/// The tags of the image that the run made. With several images they would bury the table.
pub(crate) fn tags(report: &Report, paint: Paint) -> String {
    let mut made = report
        .images
        .iter()
        .filter(|image| matches!(image.status, Status::Baked | Status::Registered))
        .map(|image| &image.image);
    let (Some(Some(image)), None) = (made.next(), made.next()) else { return String::new() };
    let width = image.tags.keys().map(|key| key.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> = image
        .tags
        .iter()
        .map(|(key, value)| format!("  {}  {value}\n", paint.dim(&format!("{key:<width$}"))))
        .collect();
    format!("tags\n{}\n", lines.concat())
}

fn row(image: &ImageReport) -> Vec<Cell> {
    let look = match image.status {
        status if status.is_good() => Paint::good,
        Status::Failed => Paint::bad,
        _ => Paint::odd,
    };
    let record = image.image.as_ref();
    let version = record.map(|record| &record.version).or(image.version.as_ref());
    let (status, without_login) = (image.status.as_str(), record.is_some_and(ImageRecord::tested_without_login));
    vec![
        Cell::new(&image.name).look(Paint::bold),
        version.map(ToString::to_string).unwrap_or_default().into(),
        Cell::new(if without_login { format!("{status}, tested without a login") } else { status.to_owned() })
            .look(look),
        record.map(|record| record.id.clone()).unwrap_or_default().into(),
        record.map(|record| record.name.clone()).unwrap_or_default().into(),
        human(image.took).into(),
    ]
}

/// The last line: how the run ended, its duration, and the path of the report.
pub(crate) fn last_line(report: &Report, event: &Event, paint: Paint) -> String {
    let Event::RunFinished { exit_code, report: file } = event else { return String::new() };
    let took = human(report.took);
    let verdict = match *exit_code {
        0 => format!("{} in {took}", paint.good("Done")),
        UNCLEAN => format!("{} in {took}, but not clean: see above (exit code {UNCLEAN})", paint.odd("Done")),
        130 => format!("{} after {took}", paint.odd("Cancelled")),
        code => {
            format!("{} after {took}: {} (exit code {code})", paint.bad("Failed"), what_failed(report))
        }
    };
    let file = file.as_ref().map(|file| paint.dim(&format!(", report in {}", file.display())).to_string());
    format!("{verdict}{}\n", file.unwrap_or_default())
}

/// A summary of failures: "2 of 4 images failed, 1 not deployed, 1 skipped". An image that exists does not count as
/// failed.
fn what_failed(report: &Report) -> String {
    let all = report.images.len();
    let bad = || report.images.iter().filter(|image| !image.status.is_good());
    let after = |image: &&ImageReport, kind| image.failure.as_ref().is_some_and(|failure| failure.kind == kind);
    let published = bad().filter(|image| after(image, ErrorKind::Publish)).count();
    let deployed = bad().filter(|image| after(image, ErrorKind::Deploy)).count();
    let skipped = bad().filter(|image| image.status == Status::Skipped).count();
    let failed = bad().count() - published - deployed - skipped;
    let counts =
        [(failed, "failed"), (published, "not published everywhere"), (deployed, "not deployed"), (skipped, "skipped")];
    let mut parts = counts.into_iter().filter(|(count, _)| *count > 0);
    let (count, what) = parts.next().unwrap_or((0, "failed"));
    let mut text = format!("{count} of {all} images {what}");
    for (count, what) in parts {
        text.push_str(&format!(", {count} {what}"));
    }
    text
}
