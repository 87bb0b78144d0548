//! Converts a disk image as a source.

use std::path::Path;

use ami_bake_core::Route;
use ami_bake_core::plan::{Architecture, DiskQuery, SourceQuery};

use crate::diagnostic::{Diagnostic, Span};
use crate::model::DiskSource;

/// The query for a disk image. `at` finds the line of a key.
pub(super) fn query(
    source: &DiskSource,
    architecture: Option<Architecture>,
    folder: &Path,
    at: &dyn Fn(&str) -> Span,
    route: &Route,
    findings: &mut Vec<Diagnostic>,
) -> Option<SourceQuery> {
    let disk = source.disk.as_str();
    let mut refuse = |code, message: String, help: &str| {
        findings.push(Diagnostic::error(code, at("disk"), message).help(help).route(route.key("disk")));
        None
    };
    let location = if disk.starts_with("https://") {
        if source.sha256.is_none() {
            return refuse(
                "disk-source",
                "a disk image from the web needs `sha256`".to_owned(),
                "Add the checksum that the publisher lists beside the image, for example in SHA256SUMS.",
            );
        }
        disk.to_owned()
    } else if disk.contains("://") {
        return refuse(
            "disk-source",
            format!("`{disk}` is not a valid disk image: only `https` URLs are supported"),
            "Use an `https` URL, or download the image and set the path of the file.",
        );
    } else {
        let full = folder.join(disk);
        if !full.is_file() {
            let what = if full.exists() { "is not a file" } else { "not found" };
            return refuse(
                "no-such-file",
                format!("`{disk}` {what}"),
                "Set `disk` to a disk image in a file, qcow2 or raw, relative to the manifest, or to its `https` URL.",
            );
        }
        full.display().to_string()
    };
    Some(SourceQuery::Disk(DiskQuery {
        location,
        sha256: source.sha256.as_ref().map(|sum| sum.as_str().to_ascii_lowercase()),
        architecture,
    }))
}
