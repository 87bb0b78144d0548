//! Changes of the installed packages: since the source, and since the previous version.

use std::cmp::Ordering;

use ami_bake_core::report::{ImageReport, PackageChange, PackageChanges, Report};

use crate::context::Context;
use crate::markdown::{Block, Escape, heading, table};
use crate::versions::compare;

pub(super) fn packages(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let mut blocks = since_last(report, context);
    let escape = context.escape();
    for image in &report.images {
        let Some(changes) = image.packages.as_ref().filter(|changes| !changes.is_empty()) else { continue };
        let source = image.source.as_ref().map(|source| if source.name.is_empty() { &source.id } else { &source.name });
        let since = source.map_or_else(|| "its source".to_owned(), |source| escape.code(source));
        blocks.push(block(image, changes, &since, escape));
    }
    if !blocks.is_empty() {
        blocks.insert(0, heading("packages", "Packages"));
    }
    blocks
}

/// Changes since the previous version, if its report is known.
pub(crate) fn since_last(report: &Report, context: &Context<'_>) -> Vec<Block> {
    let escape = context.escape();
    let mut blocks = Vec::new();
    for image in &report.images {
        let Some((changes, version)) = changes_since(image, context.previous) else { continue };
        let since = format!("version {}", escape.code(&version));
        blocks.push(block(image, &changes, &since, escape));
    }
    blocks
}

/// The changes since the previous version, and that version. `None` when one of the package lists is unknown.
pub(super) fn changes_since(image: &ImageReport, previous: Option<&Report>) -> Option<(PackageChanges, String)> {
    let before = previous?.image(&image.key)?;
    let version = before.version.as_ref()?;
    if before.installed.is_empty() || image.installed.is_empty() || image.version.as_ref() == Some(version) {
        return None;
    }
    Some((PackageChanges::between_versions(&before.installed, &image.installed), version.to_string()))
}

/// The number of packages that were downgraded.
fn downgraded(changes: &PackageChanges) -> usize {
    changes.changed.iter().filter(|change| is_older(change)).count()
}

fn is_older(change: &PackageChange) -> bool {
    compare(&change.from, &change.to) == Ordering::Greater
}

fn block(image: &ImageReport, changes: &PackageChanges, since: &str, escape: Escape<'_>) -> Block {
    let name = escape.text(&image.name);
    let parts = counts(changes);
    if parts.is_empty() {
        return Block::whole(format!("the packages of {name}"), format!("<b>{name}</b>: no changes since {since}\n\n"));
    }
    let summary = format!("<b>{name}</b>: {} since {since}", parts.join(", "));
    let head = ["", "package", "before", "after"];
    table(format!("the packages of {name}"), &head, &rows(changes, escape)).folded(&summary)
}

/// `2 added`, `1 upgraded`; empty when nothing changed.
pub(super) fn counts(changes: &PackageChanges) -> Vec<String> {
    let older = downgraded(changes);
    let all = [
        (changes.added.len(), "added"),
        (changes.removed.len(), "removed"),
        (changes.changed.len() - older, "upgraded"),
        (older, "downgraded"),
    ];
    all.into_iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect()
}

/// The rows, downgrades first: they are rare and seldom intended.
fn rows(changes: &PackageChanges, escape: Escape<'_>) -> Vec<Vec<String>> {
    let row = |sign: &str, name: &str, before: &str, after: &str| {
        vec![sign.to_owned(), escape.code(name), escape.code(before), escape.code(after)]
    };
    let changed = |wanted: bool| {
        changes.changed.iter().filter_map(move |change| {
            let older = is_older(change);
            let sign = if older { "⚠️ downgraded" } else { "upgraded" };
            (older == wanted).then(|| row(sign, &change.name, &change.from, &change.to))
        })
    };
    changed(true)
        .chain(changes.removed.iter().map(|package| row("removed", &package.name, &package.version, "")))
        .chain(changes.added.iter().map(|package| row("added", &package.name, "", &package.version)))
        .chain(changed(false))
        .collect()
}
