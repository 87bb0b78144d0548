//! Regions that the images were published to, or repositories on platforms without regions.

use ami_bake_core::delivery::Delivery;
use ami_bake_core::report::{ImageReport, Report};

use super::images::linked;
use crate::context::Context;
use crate::markdown::{Block, Escape, heading, table};

/// Maximum number of rows of a table that is not folded.
const OPEN_ROWS: usize = 12;

pub(crate) fn regions(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let rows: Vec<Vec<String>> = report.images.iter().flat_map(|image| rows(image, escape)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let (title, column) = if report.region.is_some() { ("Regions", "region") } else { ("Registries", "repository") };
    let head = ["image", column, "account", "id", "actions"];
    let block = table("regions", &head, &rows);
    let folded = rows.len() > OPEN_ROWS;
    let block = if folded { block.folded(&super::count::count(rows.len(), "image")) } else { block };
    vec![heading("regions", title), block]
}

fn rows(image: &ImageReport, escape: Escape<'_>) -> Vec<Vec<String>> {
    let name = format!("<b>{}</b>", escape.text(&image.name));
    image.published.iter().map(|delivery| row(&name, delivery, escape)).collect()
}

fn row(name: &str, delivery: &Delivery, escape: Escape<'_>) -> Vec<String> {
    let id = delivery.image.as_deref().map(|id| linked(escape, Some(&delivery.region), id));
    let done = delivery.done.iter().map(|done| escape.text(done)).collect::<Vec<_>>().join(", ");
    let what = match &delivery.failure {
        Some(failure) => {
            let why = std::iter::once(&failure.message).chain(&failure.causes).map(|text| escape.text(text));
            let why = why.collect::<Vec<_>>().join(": ");
            if done.is_empty() { format!("❌ {why}") } else { format!("{done}<br>❌ {why}") }
        }
        None if done.is_empty() => "unchanged".to_owned(),
        None => done,
    };
    vec![name.to_owned(), escape.code(&delivery.region), account(delivery, escape), id.unwrap_or_default(), what]
}

fn account(delivery: &Delivery, escape: Escape<'_>) -> String {
    delivery.account.as_deref().map(|account| escape.code(account)).unwrap_or_default()
}
