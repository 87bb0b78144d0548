//! The same manifest on a platform that it was not written for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::plan::{CaptureMode, ImageKey, Retention, SourceImage};
use ami_bake_core::platform::Capabilities;
use ami_bake_manifest::diagnostic::{Severity, Style, text};
use ami_bake_manifest::{Loaded, Manifest, Options};

use crate::fixture::planned;

const LOCAL: Capabilities = Capabilities {
    platform: "local",
    source: "local",
    machine: &["user", "network"],
    publish: &["name", "tags", "keep"],
    captures: &[CaptureMode::Halted],
    init: false,
    deploy: false,
    replaces_versions: true,
    services: false,
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

fn source() -> SourceImage {
    SourceImage {
        id: "host".into(),
        name: "host".into(),
        owner: "local".into(),
        created: None,
        tags: BTreeMap::new(),
        architecture: None,
        identity: "x".into(),
        version: None,
    }
}

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
    assert!(
        shown.contains("not supported on `local`: `machine.type`, `machine.spot` and `publish.description`"),
        "{shown}"
    );
}

#[test]
fn the_manifests_own_platform_must_know_every_field() {
    let (loaded, shown) = load(&MANIFEST.replace("platform: aws", "platform: local"), None);
    assert!(loaded.manifest.is_none());
    assert!(shown.contains("`machine.spot` is not supported on `local`\n --> bake.yml:7:31"), "{shown}");
    assert!(shown.contains("`capture: live` is not supported on `local`"), "{shown}");
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
    assert!(shown.contains("this ami-bake was built without the platform `aws`"), "{shown}");
}

#[test]
fn how_many_versions_are_kept_is_part_of_the_plan() {
    let manifest = "format: 1\nname: shop\nplatform: local\nimages:\n  web:\n    source: {local: host}\n    \
                    build: [{run: a}]\n    publish: {keep: {last: 2, newer-than: 30d}}\n";
    let (loaded, shown) = load(manifest, None);
    assert!(loaded.findings.is_empty(), "{shown}");
    let recipe = Arc::new(loaded.manifest.unwrap());
    let source = source();
    let version = semver::Version::new(1, 0, 0);
    let plan = planned(&recipe, &ImageKey::new("web"), &source, &version).unwrap();
    let month = Duration::from_hours(30 * 24);
    assert_eq!(plan.settings.retention, Retention { last: Some(2), newer_than: Some(month) });
}

/// Deployments need the platform's own resources; on another platform they are skipped with a single note.
#[test]
fn deployments_are_of_one_platform_alone() {
    let deploy = format!("{MANIFEST}    deploy: [{{launch-template: web}}]\n");
    let (loaded, shown) = load(&deploy, Some("local"));
    assert!(shown.contains("`publish.description` and `deploy`"), "{shown}");
    let manifest = Arc::new(loaded.manifest.unwrap());
    let source = source();
    let plan = planned(&manifest, &ImageKey::new("web"), &source, &semver::Version::new(1, 0, 0));
    assert_eq!(plan.unwrap().settings.deployments, []);
    let (_, shown) = load(&deploy.replace("platform: aws", "platform: local"), None);
    assert!(shown.contains("`deploy` is not supported on `local`\n  --> bake.yml:10:5"), "{shown}");
}

/// Nothing of a pull request is deployed unless the manifest says so explicitly.
#[test]
fn what_is_not_final_is_deployed_nowhere() {
    let manifest = "format: 1\nname: shop\nplatform: aws\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n    \
                    build: [{run: a}]\n    deploy:\n      - {launch-template: web}\n      - {launch-template: web, if: \"version.major > 1 || version.prerelease == 'rc.1'\"}\n";
    let aws = Capabilities { platform: "aws", source: "ami", deploy: true, ..LOCAL };
    let options = Options { capabilities: vec![aws], check: true, ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &options);
    let manifest = Arc::new(loaded.manifest.unwrap_or_else(|| panic!("{:?}", loaded.findings)));
    let wanted = |version: &str| -> Vec<bool> {
        let (source, version) = (source(), version.parse().unwrap());
        let plan = planned(&manifest, &ImageKey::new("web"), &source, &version).unwrap();
        plan.settings.deployments.iter().map(|deployment| deployment.wanted).collect()
    };
    assert_eq!(wanted("1.0.0"), [true, false]);
    assert_eq!(wanted("2.0.0-pr.7.abc"), [false, true]);
    assert_eq!(wanted("1.0.0-rc.1"), [false, true]);
}

/// An invalid root file system is recognized by its first bytes and reported with its line; a valid one passes.
#[test]
fn local_sources_that_are_no_root_file_system_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["empty", "shellless/etc", "whole/etc", "whole/usr/bin"] {
        std::fs::create_dir_all(path(name)).unwrap();
    }
    std::fs::write(path("whole/usr/bin/sh"), "").unwrap();
    std::fs::write(path("notes.txt"), "text\n".repeat(200)).unwrap();
    std::fs::write(path("root.tar.xz"), b"\xfd7zXZ\0rest").unwrap();
    std::fs::write(path("root.tar.gz"), b"\x1f\x8brest").unwrap();
    let mut tar = std::process::Command::new("tar");
    tar.arg("-cf").arg(path("root.tar")).arg("-C").arg(path("whole")).arg(".");
    assert!(tar.status().unwrap().success());
    let findings = |name: &str| {
        let manifest = format!(
            "format: 1\nname: shop\nplatform: local\nimages:\n  web:\n    source: {{local: {name}}}\n    build: [{{run: a}}]\n"
        );
        let options = Options { check: true, ..Options::default() };
        let loaded = Manifest::load_text("bake.yml", &manifest, folder.path().to_owned(), &options);
        text(&loaded.findings, &loaded.sources, Style::Plain)
    };
    for (name, why) in [
        ("empty", "`empty` is not a root file system: it has no /etc\n --> bake.yml:6:21"),
        ("shellless", "it has no /bin/sh"),
        ("notes.txt", "`notes.txt` is not a tar file"),
        ("root.tar.xz", "is compressed with xz, which is not supported"),
        ("nowhere", "`nowhere` not found"),
    ] {
        assert!(findings(name).contains(why), "{name}: {}", findings(name));
    }
    for name in ["whole", "root.tar", "root.tar.gz"] {
        assert_eq!(findings(name), "", "{name}");
    }
}

#[test]
fn two_variants_move_no_one_group() {
    let manifest = "format: 1\nname: shop\nplatform: aws\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n    \
                    matrix: {arch: [x86_64, arm64]}\n    build: [{run: a}]\n    deploy:\n      - {launch-template: \"web-${{ matrix.arch }}\"}\n      - {launch-template: web}\n";
    let aws = Capabilities { platform: "aws", source: "ami", deploy: true, ..LOCAL };
    let options = Options { capabilities: vec![aws], check: true, ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &options);
    let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
    assert!(shown.contains("`web-x86_64` and `web-arm64` are both deployed to `web`"), "{shown}");
    assert_eq!(loaded.findings.len(), 1, "{shown}");
    let apart = manifest.replace("{launch-template: web}", "{launch-template: web, if: \"matrix.arch == 'arm64'\"}");
    let loaded = Manifest::load_text("bake.yml", &apart, PathBuf::new(), &options);
    assert!(loaded.findings.is_empty(), "{}", text(&loaded.findings, &loaded.sources, Style::Plain));
}
