//! Images as rows of a table, and as JSON.

use ami_bake_core::platform::{ImageRecord, Listed, Usage};
use ami_bake_core::{Error, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::report::text::region;
use crate::table::{Cell, table};
use crate::ui::Paint;

/// The image as JSON, with `used-by` if the platform knows its users: a list, or null when they could not be
/// determined.
pub(super) fn as_value(listed: &Listed) -> Result<Value> {
    let mut value = serde_json::to_value(&listed.image)
        .map_err(|error| Error::internal("could not write the images as JSON").because(error))?;
    match &listed.usage {
        Some(Usage::By(by)) => value["used-by"] = json!(by),
        Some(Usage::Unknown(_)) => value["used-by"] = Value::Null,
        None => {}
    }
    Ok(value)
}

/// The images as a table. Columns without data on the platform are left out.
pub(super) fn as_table(images: &[Listed], now: Timestamp, paint: Paint) -> String {
    let (regions, uses) =
        (images.iter().any(|listed| listed.image.region.is_some()), images.iter().any(|listed| listed.usage.is_some()));
    let mut head = vec!["name", "image", "version", "id"];
    head.extend(regions.then_some("region"));
    head.extend(["state", "digest", "age"]);
    head.extend(uses.then_some("in use by"));
    let row = |listed: &Listed| {
        let image = &listed.image;
        let mut row = vec![
            Cell::new(&image.namespace),
            Cell::new(image.key.to_string()).look(Paint::bold),
            Cell::new(image.version.to_string()),
            Cell::new(&image.id),
        ];
        row.extend(regions.then(|| region(image.region.as_deref(), image.account.as_deref()).into()));
        let age = image.created.map(|at| age(at, now)).unwrap_or_default();
        row.extend([state(image), Cell::new(image.digest.short()), age.into()]);
        row.extend(uses.then(|| match &listed.usage {
            Some(Usage::By(by)) => Cell::new(by.join(", ")),
            Some(Usage::Unknown(_)) | None => Cell::new("unknown").look(Paint::odd),
        }));
        row
    };
    table(&head, &images.iter().map(row).collect::<Vec<_>>(), paint)
}

fn state(image: &ImageRecord) -> Cell {
    match (image.available, image.tested) {
        (false, _) => Cell::new("pending").look(Paint::odd),
        (true, None) => Cell::new("untested").look(Paint::odd),
        (true, Some(_)) => Cell::new("tested").look(Paint::good),
    }
}

/// Formats an age in its largest unit: `40 min`, `7 h`, `12 d`.
fn age(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(at).as_mins().max(0);
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let since = |text: &str| age(text.parse().unwrap(), now);
        assert_eq!(since("2026-11-21T11:20:30Z"), "39 min");
        assert_eq!(since("2026-11-21T03:59:00Z"), "8 h");
        assert_eq!(since("2026-10-21T12:00:00Z"), "31 d");
        assert_eq!(since("2026-11-21T12:00:05Z"), "0 min", "a clock that is ahead");
    }
}
