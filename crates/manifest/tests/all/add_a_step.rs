//! Checks docs/dev/add-a-step.md: the files that it lists are all files that name a step type.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ami_bake_manifest::model::STEP_TYPES;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of the page's table.
fn listed(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `crates/"));
    rows.filter_map(|row| Some(format!("crates/{}", row.split_once('`')?.0))).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_page_lists_all_files_that_name_a_step_type() {
    let page = std::fs::read_to_string(root().join("docs/dev/add-a-step.md")).unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path().join("src");
        if folder.is_dir() {
            sources(&folder, &mut found);
        }
    }
    let names = ["WaitStep", "StepAction::Wait", "StepType::of::<wait::", "mod wait;"];
    let naming: BTreeSet<String> = found
        .iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            names.iter().any(|name| text.contains(name))
        })
        .map(|path| path.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    // Another crate may have a module with the same name as the step type.
    let naming: BTreeSet<String> = naming
        .into_iter()
        .filter(|path| ["core", "manifest", "steps"].iter().any(|name| path.starts_with(&format!("crates/{name}/"))))
        .collect();
    assert_eq!(naming, listed(&page));
}

#[test]
fn the_files_that_the_pages_name_exist() {
    for page in ["add-a-step.md", "add-a-platform.md"] {
        let text = std::fs::read_to_string(root().join("docs/dev").join(page)).unwrap();
        let named = text.split('`').skip(1).step_by(2);
        let paths: Vec<&str> = named
            .filter(|text| ["crates/", "src/", "tests/"].iter().any(|top| text.starts_with(top)))
            .filter(|text| !text.contains("pause"))
            .collect();
        assert!(paths.len() > 8, "{page}: {paths:?}");
        for path in paths {
            assert!(root().join(path).exists(), "{page}: {path}");
        }
    }
}

#[test]
fn the_page_lists_all_files_that_name_a_platform_of_a_manifest() {
    let page = std::fs::read_to_string(root().join("docs/dev/add-a-platform.md")).unwrap();
    let mut found = Vec::new();
    sources(&root().join("crates/manifest/src"), &mut found);
    // `local` is a platform without a section of its own in the manifest.
    let naming: BTreeSet<String> = found
        .iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.contains("Platform::Local") || text.contains("Self::Local")
        })
        .map(|path| path.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    let listed: BTreeSet<String> =
        listed(&page).into_iter().filter(|path| path.starts_with("crates/manifest/")).collect();
    assert_eq!(naming, listed);
}

#[test]
fn every_step_type_has_a_file_of_its_own() {
    for known in &STEP_TYPES {
        let path = format!("crates/manifest/src/model/step_types/{}.rs", known.key);
        assert!(root().join(&path).exists(), "{path}");
    }
}
