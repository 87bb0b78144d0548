//! When each stage of each image ran, as a Mermaid chart.

use std::time::Duration;

use ami_bake_core::report::{ImageReport, Report, StageReport};
use jiff::Timestamp;

use super::count::count;
use crate::markdown::{Block, heading};

/// Maximum number of images in the chart. GitHub's Mermaid rejects charts of more than 50,000 characters.
const IMAGES: usize = 30;

/// Maximum number of images in a chart that is not folded.
const OPEN_IMAGES: usize = 4;

pub(super) fn timeline(report: &Report) -> Vec<Block> {
    let Some(started) = report.started else { return Vec::new() };
    let drawn: Vec<String> =
        report.images.iter().filter_map(|image| section(image, started, report.took)).take(IMAGES).collect();
    if drawn.is_empty() {
        return Vec::new();
    }
    // Absolute times: the browser shows the axis in the reader's time zone.
    let text = format!("```mermaid\ngantt\n    dateFormat x\n    axisFormat %H:%M:%S\n{}```\n\n", drawn.concat());
    let chart = Block::whole("the timeline", text);
    let chart = if drawn.len() > OPEN_IMAGES { chart.folded(&count(drawn.len(), "image")) } else { chart };
    vec![heading("the timeline", "Timeline"), chart]
}

fn section(image: &ImageReport, started: Timestamp, whole: Duration) -> Option<String> {
    // Names consist of letters, digits and hyphens. Anything else in a forged report could be Mermaid syntax.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-. ".contains(c) { c } else { '-' };
    let name: String = image.name.chars().take(60).map(plain).collect();
    let origin = started.as_millisecond();
    let at = |offset: Duration| origin.saturating_add(i64::try_from(offset.as_millis()).unwrap_or(0));
    let mut text = format!("    section {name}\n");
    for stage in image.stages.iter().filter(|stage| is_drawn(stage)) {
        let end = stage.begin + stage.took.unwrap_or_else(|| whole.saturating_sub(stage.begin));
        let failed = if stage.failed { "crit, " } else { "" };
        let (begin, end) = (at(stage.begin), at(end).max(at(stage.begin) + 1));
        text.push_str(&format!("    {} :{failed}{begin}, {end}\n", stage.stage.as_str()));
    }
    image.stages.iter().any(is_drawn).then_some(text)
}

/// Whether a stage is drawn: one that took no time would be a name without a bar.
fn is_drawn(stage: &StageReport) -> bool {
    stage.failed || stage.took.is_none_or(|took| took >= Duration::from_millis(100))
}
