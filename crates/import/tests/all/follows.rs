//! A manifest follows the template's variables: with another value it plans what an import with that value plans, or
//! the list says that it does not.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ami_bake_import::{Imported, Request, Source, import};
use ami_bake_testkit::corpus::corpus;
use regex::Regex;

use crate::fixture::{self, Fixture};

/// Values that functions change in different ways.
const VALUES: [&str; 4] = ["Feature/X y_z.1", "", " spaces ", "a,b"];

/// What an import says of a value that does not follow its variable, or not exactly.
const TOLD: [&str; 10] = [
    "is passed to the script",
    "now the",
    "no longer follows",
    "does not change its current value",
    "replaces every match",
    "written out",
    "only the listed ones",
    "not valid in a manifest",
    "only known during the bake",
    "nothing imported uses it",
];

#[test]
fn small_templates() {
    let texts = [include_str!("../promises/packer-json.txt"), include_str!("../promises/packer-hcl.txt")];
    let mut compared = 0;
    for part in texts.iter().flat_map(|text| text.split("\n=== ")) {
        let Some((name, text)) = part.split_once('\n').filter(|(name, _)| name.starts_with("web.")) else { continue };
        let fixture = Fixture::new(&["a.sh", "b.sh"]);
        let text = text.split("\n## ").next().unwrap();
        compared += followed(name, text, fixture.path(), &[], &VALUES);
    }
    assert!(compared > 80, "only {compared} plans were compared");
}

#[test]
fn templates_of_other_people() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("packer-json");
    let index: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("index.json")).unwrap()).unwrap();
    let mut compared = 0;
    for entry in index.as_array().unwrap().iter().step_by(2) {
        let path = folder.join(entry["file"].as_str().unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let repository = path.ancestors().find(|folder| folder.to_string_lossy().contains('+')).unwrap();
        let (name, allowed) = (path.display().to_string(), [repository.to_owned()]);
        compared += followed(&name, &text, path.parent().unwrap(), &allowed, &VALUES[..1]);
    }
    assert!(compared > 50, "only {compared} plans were compared");
}

/// Compares the plans of a template with other values of each of its variables; returns how many were compared.
#[track_caller]
fn followed(name: &str, template: &str, folder: &Path, allowed: &[PathBuf], values: &[&str]) -> usize {
    let read = |sets: Vec<(String, String)>| {
        let source = Source { path: PathBuf::from(name), text: template.to_owned() };
        let mut request: Request = fixture::request(vec![source], folder.to_owned(), folder.to_owned());
        request.sets = sets;
        allowed.clone_into(&mut request.allow_files);
        import(&request).ok()
    };
    let Some(plain) = read(Vec::new()) else { return 0 };
    let Some(manifest) = &plain.manifest else { return 0 };
    let (mut compared, mut silent) = (0, String::new());
    for variable in variables(name, template) {
        for value in values {
            let set = (variable.clone(), (*value).to_owned());
            let Some(other) = read(vec![set.clone()]).and_then(|other| other.manifest) else { continue };
            compared += 1;
            if body(manifest) == body(&other) {
                continue;
            }
            // Written in another way: does it mean the same?
            let sets: &[_] = if declares(manifest, &variable) { &[set] } else { &[] };
            let follows = fixture::plans(manifest, folder, allowed, sets);
            let meant = fixture::plans(&other, folder, allowed, &[]);
            if let (Ok(follows), Ok(meant)) = (follows, meant)
                && follows != meant
                && !is_told(&plain, &variable)
            {
                writeln!(silent, "{name}: {variable}={value:?}\n{}", difference(&follows, &meant)).unwrap();
            }
        }
    }
    assert!(silent.is_empty(), "{silent}");
    compared
}

/// A manifest without its variables and the list at its end.
fn body(manifest: &str) -> String {
    let manifest =
        manifest.split("\n# Not imported:").next().unwrap().split("\n# Imported with changes:").next().unwrap();
    let (before, after) = manifest.split_once("\nvars:\n").unwrap_or((manifest, ""));
    let after = after.lines().skip_while(|line| line.starts_with("  "));
    format!("{before}\n{}", after.collect::<Vec<_>>().join("\n"))
}

/// The variables that a template declares.
fn variables(name: &str, template: &str) -> Vec<String> {
    if Path::new(name).extension().is_some_and(|end| end == "hcl") {
        let blocks = Regex::new(r#"(?m)^variable "([^"]+)""#).unwrap();
        return blocks.captures_iter(template).map(|found| found[1].to_owned()).collect();
    }
    let template: serde_json::Value = serde_json::from_str(template).unwrap_or_default();
    template["variables"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

fn declares(manifest: &str, variable: &str) -> bool {
    let vars = manifest.split("\nvars:\n").nth(1).unwrap_or_default();
    let vars = vars.lines().take_while(|line| line.starts_with("  "));
    vars.into_iter().any(|line| line.starts_with(&format!("  {variable}:")))
}

fn is_told(imported: &Imported, variable: &str) -> bool {
    imported.findings.iter().any(|finding| {
        let why = &finding.why;
        // Functions of JSON templates speak of "the variable".
        let named = why.contains(&format!("{variable}`")) || finding.path.ends_with(variable);
        TOLD.iter().any(|told| why.contains(told)) && (named || why.contains("the variable") || !why.contains("var."))
    })
}

/// The first lines that differ.
fn difference(one: &str, other: &str) -> String {
    let pairs = one.lines().zip(other.lines()).filter(|(one, other)| one != other);
    let pairs: Vec<_> = pairs.take(3).flat_map(|(one, other)| ["follows", one.trim(), "meant", other.trim()]).collect();
    pairs.join("\n  ")
}
