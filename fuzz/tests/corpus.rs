//! Replays the corpus and mutations of it in the ordinary test build.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; what was run is shown when one fails")]

use std::path::{Path, PathBuf};

use ami_bake_fuzz::{TARGETS, check, mutate::mutate};

/// Mutations per target, the same on every machine. `fuzz/run` searches for more, with coverage.
const MUTATIONS: usize = 200;

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { holds(stringify!($name)); })*
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! { archive component console expression hcl image_builder ledger machine manifest output packer_json report root_archive ssh }

#[test]
fn every_target_is_tested() {
    assert_eq!(TARGETS.map(|(name, _)| name).as_slice(), NAMES);
}

/// Writes each input to a file before it is run, because a stack overflow says nothing about its input.
fn holds(target: &str) {
    let corpus = entries(target);
    assert!(!corpus.is_empty(), "{target} has no corpus");
    let last = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("last-input-of-{target}"));
    println!("the input under test is in {}", last.display());
    for (path, input) in &corpus {
        println!("{}", path.display());
        check(target, input);
    }
    let inputs: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).collect();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..MUTATIONS {
        let input = mutate(&inputs, &mut rng);
        std::fs::write(&last, &input).unwrap();
        check(target, &input);
    }
    std::fs::remove_file(&last).unwrap();
}

/// The entries of a target's corpus, sorted.
fn entries(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let input = std::fs::read(&path).unwrap();
            (path, input)
        })
        .collect()
}
