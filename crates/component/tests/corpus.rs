//! Validates component documents written by other people, which must not panic. They are not part of the repository:
//! the folder is in AMI_BAKE_CORPUS or beside the checkout; without it this test is skipped.

#![expect(clippy::unwrap_used, reason = "tests end where they fail")]

use std::path::{Path, PathBuf};

use ami_bake_manifest::diagnostic::{Diagnostic, Severity};
use ami_bake_manifest::{Manifest, Options};
use ami_bake_testkit::corpus::corpus;

/// The findings about a document in a manifest that runs all of its phases, with a value for each parameter.
fn validated(path: &Path) -> Vec<Diagnostic> {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    let phases: Vec<&str> =
        value["phases"].as_array().unwrap().iter().filter_map(|phase| phase["name"].as_str()).collect();
    let mut with = serde_json::Map::new();
    for parameter in value["parameters"].as_array().into_iter().flatten() {
        with.extend(parameter.as_object().unwrap().keys().map(|name| (name.clone(), "x".into())));
    }
    let mut image = serde_json::json!({ "source": { "ami": { "id": "ami-0123456789abcdef0" } } });
    for phase in phases {
        let mut step = serde_json::json!({ "component": name });
        if !with.is_empty() {
            step["with"] = with.clone().into();
        }
        image[phase] = vec![step].into();
    }
    let manifest = serde_json::json!({ "format": 1, "name": "corpus", "images": { "web": image } });
    let options = Options { check: true, documents: Some(ami_bake_component::validate), ..Options::default() };
    Manifest::load_text("bake.yml", &manifest.to_string(), path.parent().unwrap().to_owned(), &options).findings
}

#[test]
fn all_documents_are_validated() {
    let Some(corpus) = corpus() else { return };
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(corpus.join("components")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.extend(["httpd", "jenkins", "linux-bin"].map(|name| corpus.join(format!("required/{name}.component.yml"))));
    paths.sort();
    let mut refused = Vec::new();
    println!("{:<110} {:>7} {:>8}", "document", "errors", "warnings");
    for path in &paths {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let findings = validated(path);
        let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        println!("{name:<110} {:>7} {:>8}", of(Severity::Error), of(Severity::Warning));
        for finding in findings.iter().filter(|finding| finding.is_error()) {
            println!("    {}", finding.message);
            assert!(finding.span.is_some(), "{name}: {}", finding.message);
        }
        if of(Severity::Error) > 0 {
            let why = findings.iter().filter(|finding| finding.is_error());
            assert!(why.clone().all(|finding| finding.message.contains("Windows")), "{name}");
            refused.push(name);
        }
    }
    println!(
        "\n{} of {} run on Linux, {} are refused by name",
        paths.len() - refused.len(),
        paths.len(),
        refused.len()
    );
    assert!(!refused.iter().any(|name| name.ends_with(".component.yml")), "{refused:?}");
}
