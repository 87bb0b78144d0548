//! Targets for files of a repository: manifests, expressions, component documents.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ami_bake_core::plan::{Recipe as _, SourceImage};
use ami_bake_manifest::diagnostic::{Style, json, text};
use ami_bake_manifest::{Manifest, Options};
use jiff::Timestamp;

/// Checks a manifest, and evaluates it if it is valid.
pub(super) fn manifest(input: &[u8]) {
    load("bake.yml", &String::from_utf8_lossy(input));
}

/// Evaluates an expression in a valid manifest.
pub(super) fn expression(input: &[u8]) {
    let expression = String::from_utf8_lossy(input);
    let script = serde_json::Value::String(format!("${{{{ {expression} }}}}")).to_string();
    load(
        "bake.yml",
        &format!(
            "format: 1\nname: fuzz\nplatform: local\nversion: 1.2.3\nvars: {{one: 1, list: [a, b], deep: {{key: {{value: true}}}}}}\nimages:\n  web:\n    source: {{local: host}}\n    build: [{{run: {script}}}]\n"
        ),
    );
}

/// Checks a component document like `component check`.
pub(super) fn component(input: &[u8]) {
    let folder = empty_folder();
    std::fs::write(folder.path().join("web.yml"), input).unwrap();
    let text = "format: 1\nname: fuzz\nplatform: local\nversion: 1.2.3\nimages:\n  web:\n    source: {local: host}\n    build: [{component: web.yml}]\n";
    evaluate("bake.yml", text, folder.path().to_owned());
    let _ = ami_bake_component::phases(&String::from_utf8_lossy(input));
}

fn load(name: &str, text: &str) {
    let folder = empty_folder();
    evaluate(name, text, folder.path().to_owned());
}

/// An empty folder, in which the files that an input refers to are searched.
fn empty_folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn evaluate(name: &str, manifest: &str, folder: PathBuf) {
    let options = Options {
        now: Timestamp::UNIX_EPOCH,
        env: BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]).into(),
        capabilities: vec![ami_bake_local::CAPABILITIES],
        documents: Some(ami_bake_component::validate),
        check: true,
        ..Options::default()
    };
    let loaded = Manifest::load_text(name, manifest, folder, &options);
    let _ = text(&loaded.findings, &loaded.sources, Style::Plain);
    let _ = json(&loaded.findings, &loaded.sources);
    let Some(manifest) = loaded.manifest else { return };
    let source = SourceImage {
        id: "ami-0123456789abcdef0".to_owned(),
        name: "ubuntu".to_owned(),
        owner: "099720109477".to_owned(),
        created: Some(Timestamp::UNIX_EPOCH),
        tags: BTreeMap::new(),
        architecture: None,
        identity: "ami-0123456789abcdef0".to_owned(),
        version: None,
    };
    for draft in Arc::new(manifest).drafts() {
        // Files are not read: a step may name a folder with gigabytes.
        let version = "1.2.3".parse().unwrap();
        let _ = draft.existing(&source, &version, &ami_bake_core::plan::Digest::from_text(String::new()));
    }
}
