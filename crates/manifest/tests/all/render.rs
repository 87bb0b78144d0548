//! Findings as JSON for other programs.

use std::path::PathBuf;

use ami_bake_manifest::diagnostic::json;
use ami_bake_manifest::{Manifest, Options};
use serde_json::json;

const MANIFEST: &str = "format: 1\nname: shop\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n    machine: {spot: true}\n    machine: {spot: false}\n";

#[test]
fn json_holds_places_and_what_belongs_to_them() {
    let loaded = Manifest::load_text("bake.yml", MANIFEST, PathBuf::new(), &Options::default());
    let expected = json!([{
        "severity": "error",
        "code": "duplicate-key",
        "message": "duplicate key `machine`",
        "help": "Remove one of the two.",
        "file": "bake.yml", "line": 7, "column": 5, "end-line": 7, "end-column": 12,
        "related": {
            "message": "first used here",
            "file": "bake.yml", "line": 6, "column": 5, "end-line": 6, "end-column": 12,
        },
    }]);
    assert_eq!(json(&loaded.findings, &loaded.sources), expected);
}

#[test]
fn a_file_of_variables_is_shown_with_its_own_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "nginx: 1.20\nngins: x\n").unwrap();
    let manifest =
        "format: 1\nname: shop\nvars: {nginx: \"1.24\"}\nimages: {web: {source: {ami: {id: ami-0123456789abcdef0}}}}\n";
    let options = Options { var_files: vec![file.path().to_path_buf()], ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &options);
    let found: Vec<(&str, &str, usize)> = loaded
        .findings
        .iter()
        .filter_map(|finding| {
            let span = finding.span?;
            Some((finding.code, loaded.sources.slice(span), loaded.sources.position(span.file, span.start).line))
        })
        .collect();
    assert_eq!(found, [("unquoted", "1.20", 1), ("unknown-variable", "ngins", 2)]);
}
