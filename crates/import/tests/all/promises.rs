//! Each row of the tables in docs/import.md has an entry in `promises/`, whose input gives what the row says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use ami_bake_import::{Imported, Source};

use crate::fixture::Fixture;

const DOCUMENT: &str = include_str!("../../../../docs/import.md");
const ENTRIES: [&str; 3] = [
    include_str!("../promises/packer-json.txt"),
    include_str!("../promises/packer-hcl.txt"),
    include_str!("../promises/image-builder.txt"),
];

#[test]
fn packer_json() {
    keeps_its_promises("## Packer templates (JSON)", ENTRIES[0]);
}

#[test]
fn packer_hcl() {
    keeps_its_promises("## Packer templates (HCL2)", ENTRIES[1]);
}

#[test]
fn image_builder() {
    keeps_its_promises("## Image Builder", ENTRIES[2]);
}

/// The first cells of the tables of a chapter.
fn rows(chapter: &str) -> Vec<&'static str> {
    let (_, text) = DOCUMENT.split_once(chapter).unwrap();
    let text = text.split_once("\n## ").map_or(text, |(chapter, _)| chapter);
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ")).map(|(cell, _)| cell);
    cells.filter(|cell| !["construct", "function", "---"].contains(cell)).collect()
}

#[track_caller]
fn keeps_its_promises(chapter: &str, entries: &str) {
    let entries: Vec<Entry> = entries.split("\n## ").skip(1).map(Entry::of).collect();
    assert_eq!(entries.iter().map(|entry| entry.row).collect::<Vec<_>>(), rows(chapter));
    let broken: String = entries.iter().map(Entry::broken).collect();
    assert!(broken.is_empty(), "{broken}");
}

/// A row with the files of an input and what must come of them.
struct Entry<'t> {
    row: &'t str,
    /// Each part's kind, the rest of its line, and its text.
    parts: Vec<(&'t str, &'t str, String)>,
}

impl<'t> Entry<'t> {
    fn of(text: &'t str) -> Self {
        let mut parts = text.split("\n=== ");
        let row = parts.next().unwrap().trim();
        let part = |part: &'t str| {
            let (head, body) = part.split_once('\n').unwrap_or((part, ""));
            let (kind, rest) = head.split_once(' ').unwrap_or((head, ""));
            (kind, rest, format!("{}\n", body.trim_end_matches('\n')))
        };
        Self { row, parts: parts.map(part).collect() }
    }

    /// What the import of this entry does not do; empty if all is right.
    fn broken(&self) -> String {
        let fixture =
            Fixture::new(&["a.sh", "b.sh", "site/x", "play.yml", "requirements.yml", "cookbooks/x", "roles/web/x"]);
        let mut request = fixture.request(&[]);
        let mut environment = BTreeMap::new();
        let source = |path: &str, text: String| Source { path: PathBuf::from(path), text };
        for (kind, rest, text) in &self.parts {
            let pair = || rest.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
            match *kind {
                "says" | "lacks" | "lists" | "unlisted" | "writes" => {}
                "file" => fixture.write(rest, text),
                "var-file" => request.var_files.push(source(rest, text.clone())),
                "set" => request.sets.push(pair()),
                "env" => environment.extend([pair()]),
                "ebs" => request.files.push(source("web.json", ebs(text, ""))),
                "steps" => request.files.push(source("web.json", ebs("", text))),
                "hcl" => request.files.push(source("web.pkr.hcl", format!("{HCL}{text}"))),
                "recipe" => request.files.push(source("recipe.json", recipe(text))),
                name => {
                    fixture.write(name, text);
                    request.files.push(source(name, text.clone()));
                }
            }
        }
        request.environment = environment.into();
        let imported = fixture.import(&request);
        let (manifest, imported) = (imported.manifest(), &imported.imported);
        let mut broken = String::new();
        for (kind, rest, text) in &self.parts {
            let expected = text.trim_end();
            let kept = match *kind {
                "says" => body(manifest).contains(text),
                "lacks" => !manifest.contains(expected),
                "unlisted" => !imported.findings.iter().any(|finding| finding.path == expected),
                "writes" => imported.files.iter().any(|(path, file)| path == rest && file.contains(text)),
                "lists" => {
                    for line in expected.lines().filter(|line| !is_listed(imported, line)) {
                        writeln!(broken, "{}: is not listed: {line}\n{:#?}", self.row, imported.findings).unwrap();
                    }
                    true
                }
                _ => true,
            };
            if !kept {
                writeln!(broken, "{}: {kind} {rest}\n{text}in:\n{manifest}", self.row).unwrap();
            }
        }
        broken
    }
}

/// The manifest without the list at its end.
fn body(manifest: &str) -> &str {
    ["\n# Not imported:", "\n# Imported with changes:"]
        .iter()
        .fold(manifest, |text, end| text.split(end).next().unwrap())
}

/// Whether the list has a `PATH: REASON`, with this part of the reason or of the help.
fn is_listed(imported: &Imported, line: &str) -> bool {
    let (path, reason) = line.split_once(": ").unwrap();
    imported
        .findings
        .iter()
        .any(|finding| finding.path == path && format!("{} → {}", finding.why, finding.help).contains(reason))
}

fn ebs(fields: &str, steps: &str) -> String {
    let comma = if fields.trim().is_empty() { "" } else { "," };
    format!(
        r#"{{"builders": [{{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "instance_type": "t3.small",
            "ssh_username": "ubuntu", "ami_name": "web {{{{timestamp}}}}"{comma} {fields}}}], "provisioners": [{steps}]}}"#
    )
}

fn recipe(fields: &str) -> String {
    let comma = if fields.trim().is_empty() { "" } else { "," };
    format!(
        r#"{{"name": "web", "semanticVersion": "1.2.3", "parentImage": "ami-0123456789abcdef0", "components": []{comma} {fields}}}"#
    )
}

const HCL: &str = r#"source "amazon-ebs" "web" {
  region        = "eu-west-1"
  source_ami    = "ami-0123456789abcdef0"
  instance_type = "t3.small"
  ssh_username  = "ubuntu"
  ami_name      = "web ${timestamp()}"
}
"#;
