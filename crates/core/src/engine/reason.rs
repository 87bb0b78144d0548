//! What changed since an image was baked, in words.

use std::collections::HashMap;

use crate::image::ImageRecord;
use crate::plan::{Change, ChangedPart, PartKind, Phase, ResolvedDraft, SourceImage};
use crate::tags;

/// How many changes are named; the rest is counted.
const NAMED: usize = 5;

/// What changed since `image`, as its tags say: `changed since 1.4.0: variable nginx, step "Install nginx"`.
pub(super) fn changes(image: &ImageRecord, draft: &ResolvedDraft) -> String {
    let since = format!("changed since {}", image.version);
    let Some(tag) = image.tags.get(tags::INPUTS).filter(|tag| !tag.is_empty()) else {
        return format!("{since}: reason unknown (baked before ami-bake stored what an image is made of)");
    };
    let Some(parts) = draft.parts().changes_since(tag) else {
        return format!("{since}: reason unknown (baked by another version of ami-bake)");
    };
    // Removed steps and files have no name, and are counted.
    let (mut words, mut counts) = (Vec::new(), HashMap::<String, usize>::new());
    for part in order(&parts) {
        let said = in_words(part, image, draft.source());
        let count = counts.entry(said.clone()).or_default();
        *count += 1;
        if *count == 1 {
            words.push(said);
        }
    }
    if words.is_empty() {
        return format!("{since}: reason unknown (digest {})", image.digest.short());
    }
    let counted = |said: &String| match counts.get(said) {
        Some(count) if *count > 1 => format!("{said} ({count}×)"),
        _ => said.clone(),
    };
    let named: Vec<String> = words.iter().take(NAMED).map(counted).collect();
    let more = match words.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{since}: {}{more}", named.join(", "))
}

/// Causes before effects: a variable before the steps that it changed.
fn order(parts: &[ChangedPart]) -> Vec<&ChangedPart> {
    let rank = |part: &&ChangedPart| match part.kind {
        PartKind::Source => 0,
        PartKind::Variable => 1,
        PartKind::File if part.change == Change::Changed => 2,
        // Those that came or went with a step say less than the step.
        PartKind::File => 5,
        PartKind::Step(_) => 3,
        _ => 4,
    };
    let mut ordered: Vec<&ChangedPart> = parts.iter().collect();
    ordered.sort_by_key(rank);
    ordered
}

fn in_words(part: &ChangedPart, image: &ImageRecord, source: &SourceImage) -> String {
    let what = match (part.kind, &part.name) {
        (PartKind::Source, _) => return format!("source {}", source_change(image, source)),
        (PartKind::Disks, _) => "disks of `machine`".to_owned(),
        (PartKind::UserData, _) => "`machine.user-data`".to_owned(),
        (PartKind::Imds, _) => "`publish.imds`".to_owned(),
        (PartKind::Container, _) => "`publish.docker`".to_owned(),
        (PartKind::Seal, _) => "`seal`".to_owned(),
        (PartKind::Variable, Some(name)) => format!("variable `{name}`"),
        (PartKind::Variable, None) => "a variable".to_owned(),
        (PartKind::Step(phase), None) => format!("a {} step", phase.as_str()),
        (PartKind::Step(Phase::Build), Some(name)) => format!("step {name:?}"),
        (PartKind::Step(phase), Some(name)) => format!("{} step {name:?}", phase.as_str()),
        (PartKind::File, None) => "a file".to_owned(),
        (PartKind::File, Some(name)) => match name.strip_prefix("of ") {
            Some(step) => format!("files of step {step:?}"),
            None => format!("file {name}"),
        },
    };
    match part.change {
        Change::Changed => what,
        Change::Added => format!("{what} added"),
        Change::Removed => format!("{what} removed"),
    }
}

/// From which source to which: by version where ami-bake made both, else by ID.
fn source_change(image: &ImageRecord, source: &SourceImage) -> String {
    let tag = |key: &str| image.tags.get(key).filter(|value| !value.is_empty());
    let versions = (tag(tags::BASE_VERSION), source.version.as_ref().map(ToString::to_string));
    match (versions, tag(tags::SOURCE)) {
        ((Some(then), Some(now)), _) if *then != now => format!("{then} → {now}"),
        (_, Some(then)) if *then != source.id => format!("{then} → {}", source.id),
        _ => format!("{} (other content)", source.id),
    }
}
