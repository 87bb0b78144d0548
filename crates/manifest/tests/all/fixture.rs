//! Helpers for the tests of invalid manifests.

use std::path::PathBuf;
use std::sync::Arc;

use ami_bake_core::Result;
use ami_bake_core::plan::{Draft, ImageKey, ImagePlan, Recipe as _, SourceImage};
use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Manifest, Options};
use semver::Version;

/// Asserts that the findings about a manifest are exactly these.
#[track_caller]
pub(crate) fn refused(manifest: &str, expected: &str) {
    let options = Options { check: true, ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &options);
    let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
    assert!(shown == expected, "it says\n{shown}\ninstead of\n{expected}");
    assert_eq!(loaded.manifest.is_none(), shown.contains("error["), "errors refuse a manifest, notes don't");
}

/// The draft of an image.
pub(crate) fn draft(manifest: &Arc<Manifest>, key: &ImageKey) -> Draft {
    Arc::clone(manifest).drafts().into_iter().find(|draft| draft.variant.key == *key).unwrap()
}

/// The plan of an image for a version.
pub(crate) fn planned(
    manifest: &Arc<Manifest>,
    key: &ImageKey,
    source: &SourceImage,
    version: &Version,
) -> Result<ImagePlan> {
    draft(manifest, key).resolve_blocking(source)?.at(version)
}
