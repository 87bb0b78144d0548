//! The same manifest on a platform that it was not made for.

use std::path::PathBuf;

use ami_bake_core::plan::CaptureMode;
use ami_bake_core::platform::Capabilities;
use ami_bake_manifest::diagnostic::{Severity, Style, text};
use ami_bake_manifest::{Loaded, Manifest, Options};

const LOCAL: Capabilities = Capabilities {
    platform: "local",
    source: "local",
    machine: &["user", "network"],
    publish: &["name", "tags"],
    captures: &[CaptureMode::Halted],
    init: false,
    deploy: false,
    replaces_versions: true,
};

const MANIFEST: &str = "format: 1
name: shop
platform: aws
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}, local: host}
    machine: {type: t3.small, spot: true, user: admin}
    capture: live
    publish: {description: x}
";

fn load(manifest: &str, platform: Option<&str>) -> (Loaded, String) {
    let options =
        Options { platform: platform.map(str::to_owned), capabilities: vec![LOCAL], check: true, ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &options);
    let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
    (loaded, shown)
}

#[test]
fn another_platforms_fields_are_skipped_and_named_in_one_line() {
    let (loaded, shown) = load(MANIFEST, Some("local"));
    assert!(loaded.manifest.is_some(), "{shown}");
    assert_eq!(loaded.findings.len(), 1, "{shown}");
    assert_eq!(loaded.findings[0].severity, Severity::Note);
    assert!(shown.contains("does not know it: `machine.type`, `machine.spot` and `publish.description`"), "{shown}");
}

#[test]
fn the_manifests_own_platform_must_know_every_field() {
    let (loaded, shown) = load(&MANIFEST.replace("platform: aws", "platform: local"), None);
    assert!(loaded.manifest.is_none());
    assert!(shown.contains("the platform `local` does not know `machine.spot`\n --> bake.yml:7:31"), "{shown}");
    assert!(shown.contains("the platform `local` has no `capture: live`"), "{shown}");
}

#[test]
fn a_missing_source_or_step_is_an_error_all_the_same() {
    let (_, shown) = load(&MANIFEST.replace(", local: host", ""), Some("local"));
    assert!(shown.contains("the image `web` has no source for the platform `local`"), "{shown}");
    let (_, shown) = load(&format!("{MANIFEST}    test: [{{expect: {{service: nginx}}}}]\n"), Some("local"));
    assert!(shown.contains("runs no init"), "{shown}");
}

#[test]
fn a_platform_that_is_not_built_in_is_named() {
    let (_, shown) = load(MANIFEST, None);
    assert!(shown.contains("the platform `aws` is not built into this ami-bake"), "{shown}");
}
