//! Digests of existing images: changing one would make every user bake every image again.
//!
//! The digests were computed at commit 0801c9a. A line may only change together with its manifest or file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use ami_bake_core::plan::{Draft, Recipe as _, SourceImage};
use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Git, Manifest, Options};

/// Digests of the examples: folder, platform, image, digest.
const EXAMPLES: &str = include_str!("digests/examples.txt");
/// Digests of [`MANIFESTS`]: manifest, image, digest.
const KINDS: &str = include_str!("digests/kinds.txt");

/// Manifests that together use every step type and every setting that is part of a digest.
const MANIFESTS: [(&str, &str); 6] = [
    ("steps", include_str!("digests/steps.yml")),
    ("expectations", include_str!("digests/expectations.yml")),
    ("settings", include_str!("digests/settings.yml")),
    ("configuration-management", include_str!("digests/configuration-management.yml")),
    ("matrix", include_str!("digests/matrix.yml")),
    ("docker", include_str!("digests/docker.yml")),
];

fn source() -> SourceImage {
    SourceImage {
        id: "ami-0123456789abcdef0".to_owned(),
        name: "ubuntu-24.04".to_owned(),
        owner: "099720109477".to_owned(),
        created: Some("2026-11-01T00:00:00Z".parse().unwrap()),
        tags: BTreeMap::from([("os".to_owned(), "noble".to_owned())]),
        architecture: None,
        identity: "ami-0123456789abcdef0".to_owned(),
        version: None,
    }
}

/// One line per image: its key and digest.
fn digests(path: &Path, options: &Options) -> Result<Vec<String>, String> {
    let loaded = Manifest::load(path, options);
    let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
    let manifest = loaded.manifest.ok_or(shown)?;
    let line = |draft: &Draft| {
        let resolved = draft.resolve_blocking(&source()).unwrap();
        format!("{} {}", draft.variant.key, resolved.digest())
    };
    Ok(Arc::new(manifest).drafts().iter().map(line).collect())
}

/// Copies a folder with permission bits that do not depend on the umask of the checkout.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            write(&to, &fs::read(&from).unwrap(), 0o644);
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

fn write(path: &Path, content: &[u8], mode: u32) {
    let folder = path.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes the files that [`MANIFESTS`] refer to.
fn files(root: &Path) {
    let text = |name: &str, content: &str, mode: u32| write(&root.join(name), content.as_bytes(), mode);
    text("setup.sh", "#!/bin/sh\necho \"$@\"\n", 0o755);
    text("one.conf", "a=1\n", 0o600);
    text("site/index.html", "<h1>it</h1>\n", 0o644);
    text("site/css/a.css", "a {}\n", 0o640);
    text("site/css/a.css.map", "{}\n", 0o640);
    text("site/empty", "", 0o644);
    text("site/deep/er/x.bin", &"0123456789abcdef".repeat(20_000), 0o444);
    symlink("index.html", root.join("site/link")).unwrap();
    text("components/site.yml", "name: it\nschemaVersion: 1.0\nphases: []\n", 0o644);
    text("playbook.yml", "- hosts: all\n  roles: [web]\n  tasks: [{copy: {src: ../one.conf, dest: /etc}}]\n", 0o644);
    text("requirements.yml", "roles: []\n", 0o644);
    text("ansible.cfg", "[defaults]\nroles_path = more\n", 0o644);
    text("roles/web/tasks/main.yml", "- template: {src: a.j2, dest: /a}\n", 0o644);
    text("roles/web/templates/a.j2", "{{ a }}\n", 0o644);
    text("roles/web/.git/HEAD", "noise\n", 0o644);
    text("more/db/tasks/main.yml", "- ping:\n", 0o644);
    text("group_vars/all.yml", "a: 1\n", 0o644);
    text("inventory/hosts", "web\n", 0o644);
    text("cookbooks/web/recipes/default.rb", "package 'nginx'\n", 0o644);
    text("site-cookbooks/db/recipes/default.rb", "package 'db'\n", 0o644);
    text("chef/roles/web.json", "{}\n", 0o644);
    text("chef/data_bags/a/b.json", "{}\n", 0o644);
    text("chef/environments/production.json", "{}\n", 0o644);
    for folder in ["site/deep", "roles", "roles/web", "more", "more/db", "cookbooks", "cookbooks/web", "site-cookbooks"]
    {
        fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for folder in ["site-cookbooks/db", "chef/data_bags", "chef"] {
        fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn same(found: &[String], expected: &str) {
    let found = found.join("\n") + "\n";
    assert!(found == expected, "images would be baked again:\n{found}\ninstead of\n{expected}");
}

#[test]
fn the_examples_keep_their_digests() {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples"), folder.path());
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let path = folder.path().join(&name).join("bake.yml");
        for platform in ["aws", "docker", "local"].iter().filter(|_| path.exists()) {
            let environment = (name == "chain").then(|| "production".to_owned());
            let options = Options { platform: Some((*platform).to_owned()), environment, ..Options::default() };
            // Not every example is for every platform.
            let lines = digests(&path, &options).unwrap_or_default();
            found.extend(lines.into_iter().map(|line| format!("{name} {platform} {line}")));
        }
    }
    same(&found, EXAMPLES);
}

#[test]
fn every_kind_of_step_and_setting_keeps_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    files(folder.path());
    let git = Git { sha: "0123456789abcdef0123456789abcdef01234567".to_owned(), ..Git::default() };
    let options = Options { git, region: Some("eu-west-1".to_owned()), ..Options::default() };
    let mut found = Vec::new();
    for (name, manifest) in MANIFESTS {
        let path = folder.path().join("bake.yml");
        fs::write(&path, manifest).unwrap();
        let lines = digests(&path, &options).unwrap_or_else(|shown| panic!("{name}: {shown}"));
        found.extend(lines.into_iter().map(|line| format!("{name} {line}")));
    }
    same(&found, KINDS);
}
