//! Imports real templates written by other people. They are not part of the repository: the folder is in
//! AMI_BAKE_CORPUS or next to the checkout. Without it these tests are skipped.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests end where they fail")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ami_bake_import::{FindingKind, Imported, Refused, Request, Source, import};
use ami_bake_manifest::diagnostic::{FileId, Sources, Style, text};
use ami_bake_manifest::{Manifest, Options, canonical, tree};
use ami_bake_testkit::corpus::corpus;

fn source(path: PathBuf) -> Source {
    Source { text: std::fs::read_to_string(&path).unwrap(), path }
}

/// The repository folder that a file was taken from: the corpus has them without Git.
fn repository(folder: &Path) -> Vec<PathBuf> {
    let named = |folder: &&Path| folder.file_name().is_some_and(|name| name.to_string_lossy().contains('+'));
    folder.ancestors().filter(named).map(Path::to_owned).collect()
}

fn run(files: &[PathBuf], var_files: &[PathBuf]) -> Result<Imported, Refused> {
    let folder = files[0].parent().unwrap().to_owned();
    import(&Request {
        files: files.iter().cloned().map(source).collect(),
        var_files: var_files.iter().cloned().map(source).collect(),
        sets: Vec::new(),
        environment: ami_bake_manifest::access::VisibleEnv::default(),
        allow_files: repository(&folder),
        working: folder.clone(),
        output: folder,
        now: None,
    })
}

/// The errors of the manifest's own check, apart from what is not supported yet and from missing files.
#[track_caller]
fn checked(name: &str, imported: &Imported, folder: &Path) {
    let Some(manifest) = &imported.manifest else { return };
    let options = Options { check: true, allow_files: repository(folder), ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, folder.to_owned(), &options);
    let others = ["not-supported-yet", "no-such-file", "wrong-file"];
    // The import also reports paths that may not be read.
    let reported = imported.findings.iter().any(|finding| finding.why.contains("is outside of"));
    let known = |code: &str| others.contains(&code) || (code == "file-not-allowed" && reported);
    let wrong: Vec<_> =
        loaded.findings.into_iter().filter(|finding| finding.is_error() && !known(finding.code)).collect();
    assert!(wrong.is_empty(), "{name}:\n{}\n{manifest}", text(&wrong, &loaded.sources, Style::Plain));
    formats(name, manifest);
    for (path, line) in manifest.lines().enumerate() {
        assert!(!line.contains("AKIA"), "{name}:{path}: {line}");
    }
}

/// `ami-bake fmt` does not change what an imported manifest means.
#[track_caller]
fn formats(name: &str, manifest: &str) {
    let value = |text: &str| tree::parse(FileId::default(), text, &mut Vec::new()).map(|root| root.to_json());
    let once = canonical(name, manifest, &mut Sources::default());
    let once = once.unwrap_or_else(|findings| panic!("{name}: {}\n{manifest}", findings[0].message));
    assert_eq!(value(&once), value(manifest), "{name}");
    assert_eq!(canonical(name, &once, &mut Sources::default()).ok().as_ref(), Some(&once), "{name}");
}

#[test]
fn all_of_the_required_are_imported() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("required");
    let at = |name: &str| folder.join(name);
    for (files, var_files) in [
        (vec!["httpd.json"], vec![]),
        (vec!["iteration-1.json"], vec![]),
        (vec!["iteration-3.json"], vec![]),
        (vec!["iteration-4.json"], vec![]),
        (vec!["java-ami.json"], vec!["java-ami.vars.json"]),
        (vec!["java-base.json"], vec![]),
        (vec!["java-on-base.json"], vec!["java-ami.vars.json"]),
        (vec!["jenkins-ansible.json"], vec![]),
        (vec!["minimal-ebs.json"], vec![]),
        (vec!["multi-cloud.json"], vec!["multi-cloud.vars.json"]),
        (
            vec![
                "image-builder-recipe.json",
                "image-builder-infrastructure.json",
                "image-builder-distribution.json",
                "image-builder-pipeline.json",
                "image-builder-component-resource.json",
                "jenkins.component.yml",
            ],
            vec![],
        ),
        (vec!["httpd.component.yml"], vec![]),
        (vec!["jenkins.component.yml"], vec![]),
        (vec!["linux-bin.component.yml"], vec![]),
    ] {
        let paths: Vec<PathBuf> = files.iter().map(|name| at(name)).collect();
        let vars: Vec<PathBuf> = var_files.iter().map(|name| at(name)).collect();
        let imported = run(&paths, &vars).unwrap_or_else(|refused| panic!("{files:?}: {:?}", refused.findings));
        let manifest = imported.manifest.as_deref().unwrap_or_else(|| panic!("{files:?}: {:#?}", imported.findings));
        assert!(imported.images > 0);
        if std::env::var_os("SHOW").is_some() {
            println!("=== {files:?}\n{manifest}");
        }
        checked(&format!("{files:?}"), &imported, &folder);
        assert!(!manifest.contains("password: password") && !manifest.contains("****"), "{manifest}");
    }
}

#[test]
fn the_invalid_one_is_refused_with_its_line() {
    let Some(corpus) = corpus() else { return };
    let refused = run(&[corpus.join("required/iteration-2.invalid.json")], &[]).unwrap_err();
    let shown = text(&refused.findings, &refused.sources, Style::Plain);
    assert!(shown.contains("iteration-2.invalid.json:26:7") && shown.contains('^'), "{shown}");
}

#[test]
fn all_templates_are_imported_or_refused_by_name() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("packer-json");
    let index: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("index.json")).unwrap()).unwrap();
    let mut table: Vec<[String; 5]> = Vec::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for entry in index.as_array().unwrap() {
        let name = entry["file"].as_str().unwrap();
        let var_files: Vec<PathBuf> = entry["var_files"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|path| Some(folder.join(path.as_str()?)))
            .filter(|path| path.is_file())
            .collect();
        let path = folder.join(name);
        let imported = match run(std::slice::from_ref(&path), &var_files) {
            Ok(imported) => imported,
            Err(refused) => panic!("{name}: {}", text(&refused.findings, &refused.sources, Style::Plain)),
        };
        if std::env::var_os("SHOW").is_some() {
            println!("=== {name}\n{}", imported.manifest.as_deref().unwrap_or("nothing"));
        }
        checked(name, &imported, path.parent().unwrap());
        let of = |kind: FindingKind| imported.findings.iter().filter(|finding| finding.kind == kind).count();
        let fate =
            if imported.manifest.is_some() { format!("{} images", imported.images) } else { "refused".to_owned() };
        if imported.manifest.is_none() {
            // Each builder is reported with the reason.
            assert!(imported.findings.iter().any(|finding| finding.path.starts_with("builders")), "{name}");
        }
        for finding in imported.findings.iter().filter(|finding| finding.why.contains("not supported by ami-bake")) {
            *reasons.entry(finding.path.clone()).or_default() += 1;
        }
        table.push([
            name.to_owned(),
            fate,
            of(FindingKind::Dropped).to_string(),
            of(FindingKind::Changed).to_string(),
            imported.missing.len().to_string(),
        ]);
    }
    println!("{:<80} {:>10} {:>8} {:>8} {:>8}", "template", "result", "dropped", "changed", "missing");
    for [name, fate, dropped, changed, missing] in &table {
        println!("{name:<80} {fate:>10} {dropped:>8} {changed:>8} {missing:>8}");
    }
    let imported = table.iter().filter(|row| row[1] != "refused").count();
    println!("\n{imported} of {} imported, {} refused by name", table.len(), table.len() - imported);
    for (path, count) in reasons {
        println!("unknown field: {path} ({count})");
    }
}
