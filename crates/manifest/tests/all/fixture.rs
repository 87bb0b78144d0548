//! What the tables of bad manifests share.

use std::path::PathBuf;

use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Manifest, Options};

/// Checks that exactly this is said of a manifest.
#[track_caller]
pub(crate) fn refused(manifest: &str, expected: &str) {
    let options = Options { check: true, ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &options);
    let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
    assert!(shown == expected, "it says\n{shown}\ninstead of\n{expected}");
    assert_eq!(loaded.manifest.is_none(), shown.contains("error["), "errors refuse a manifest, notes don't");
}
