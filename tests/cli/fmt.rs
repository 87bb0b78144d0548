//! `fmt`: formats manifests, and never changes one in `--check`.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::fixture::Fixture;

const MESSY: &str = "name: shop # the shop\nformat: 1\nimages:\n    web:\n        build:\n        - run: true\n";
const CANONICAL: &str = "format: 1\nname: shop # the shop\nimages:\n  web:\n    build:\n      - run: true\n";

#[test]
fn files_are_formatted_once() {
    let fixture = Fixture::with(MESSY);
    fixture.write("other.yml", CANONICAL);
    std::fs::set_permissions(fixture.path("bake.yml"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("bake.yml", fixture.path("link.yml")).unwrap();

    let checked = fixture.run(&["fmt", "--check", "bake.yml", "other.yml"]).exits(3);
    assert!(checked.stderr.contains("bake.yml is not formatted") && checked.stderr.contains("bake.yml:1:1"));
    assert!(!checked.stderr.contains("other.yml is"), "{}", checked.stderr);
    assert_eq!(fixture.read("bake.yml"), MESSY);

    let outcome = fixture.run(&["fmt", "link.yml", "other.yml"]).exits(0);
    assert_eq!((outcome.stderr.as_str(), outcome.stdout.as_str()), ("Formatted link.yml\n", ""));
    assert_eq!(fixture.read("bake.yml"), CANONICAL);
    assert!(fixture.path("link.yml").is_symlink());
    let mode = fixture.path("bake.yml").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);

    fixture.write("windows.yml", &MESSY.replace('\n', "\r\n"));
    fixture.run(&["fmt", "windows.yml"]).exits(0);
    assert_eq!(fixture.read("windows.yml"), CANONICAL.replace('\n', "\r\n"));

    assert_eq!(fixture.run(&["fmt"]).exits(0).stderr, "Already formatted: 1 file\n");
    fixture.run(&["fmt", "--check"]).exits(0);
}

#[test]
fn standard_input_is_printed() {
    let fixture = Fixture::new();
    let through = |text: &str, arguments: &[&str]| {
        let mut child = fixture.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        fixture.finish(child)
    };
    assert_eq!(through(MESSY, &["fmt", "-"]).exits(0).stdout, CANONICAL);
    through(&CANONICAL.replace('\n', "\r\n"), &["fmt", "--check", "-"]).exits(0);
    let checked = through(MESSY, &["fmt", "--check", "-"]).exits(3);
    assert!(checked.stdout.is_empty() && checked.stderr.contains("stdin is not formatted"), "{}", checked.stderr);
    let broken = through("a: [\n", &["fmt", "-"]).exits(3);
    assert!(broken.stdout.is_empty() && broken.stderr.contains("stdin:"), "{}", broken.stderr);
}

/// One file that can't be formatted does not keep the others from it, and is left alone.
#[test]
fn a_broken_file_stays_and_fails() {
    let fixture = Fixture::with("a: 1\n---\nb: 2\n");
    fixture.write("other.yml", MESSY);
    let outcome = fixture.run(&["fmt", "bake.yml", "other.yml"]).exits(3);
    assert!(outcome.stderr.contains("a second document starts here"), "{}", outcome.stderr);
    assert_eq!(fixture.read("bake.yml"), "a: 1\n---\nb: 2\n");
    assert_eq!(fixture.read("other.yml"), CANONICAL);
    fixture.run(&["fmt", "missing.yml"]).exits(2);
}
