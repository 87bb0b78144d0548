//! Accepted and refused contents of a `download`, on each platform that runs here.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::fixture::Fixture;

/// A folder with all kinds of files, and links to it; then downloads that are refused, one by one.
const STEPS: &str = "
      - run: |
          mkdir -p /opt/logs/d && cd /opt/logs && echo one > a && chmod 4755 a && ln a b && ln -s a c && ln -s ../a d/up
          ln -s none dangling && ln -s /opt/logs /opt/latest && ln -s logs/a /opt/single
      - {download: /opt/logs, to: out}
      - {download: /opt/logs, to: out}
      - {download: /opt/latest/, to: by-link}
      - {download: /opt/single, to: single}
      - {download: /opt/single, to: existing/}
      - run: mkfifo /opt/logs/pipe
      - {name: Pipe, download: /opt/logs, to: refused, on-failure: continue}
      - run: rm /opt/logs/pipe; ln -s /etc /opt/logs/etc
      - {name: Absolute, download: /opt/logs/, to: refused, on-failure: continue}
      - {name: Fewer, download: /opt/logs/, to: refused, exclude: [etc], limits: {files: 3}, on-failure: continue}
      - {name: Smaller, download: /opt/logs/, to: refused, exclude: [etc], limits: {size: 1KiB, depth: 1}, on-failure: continue}
      - run: head -c 2000 /dev/zero > /opt/logs/large
      - {name: Larger, download: /opt/logs/large, to: refused, limits: {size: 1KiB}, on-failure: continue}
      - {name: Through, download: /opt/logs, to: linked, exclude: [etc], on-failure: continue}
      - {download: /opt/logs, to: fine, exclude: [etc], limits: {files: 50, size: 1MiB, depth: 3}}
";

fn check(fixture: &Fixture) {
    std::fs::create_dir(fixture.path("victim")).unwrap();
    std::fs::create_dir(fixture.path("linked")).unwrap();
    symlink("../victim", fixture.path("linked/logs")).unwrap();
    symlink("victim/file", fixture.path("single")).unwrap();
    let outcome = fixture.run(&["bake", "--until", "validate"]).exits(5);
    for said in [
        "`pipe` is a device, pipe or socket",
        "`etc` is a link that points outside the folder, to `/etc`",
        "exceeds the limit of 3 files",
        "is deeper than the limit of 1 folders",
        "(2.0 KiB) the files exceed the limit of 1 KiB",
        "`logs` is a link here: files would be written through it",
    ] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    let read = |path: &str| std::fs::read_to_string(fixture.path(path)).unwrap();
    for folder in ["out/logs", "by-link", "fine/logs"] {
        for name in ["a", "b", "c", "d/up"] {
            assert_eq!(read(&format!("{folder}/{name}")), "one\n", "{folder}/{name}");
        }
        assert_eq!(std::fs::read_link(fixture.path(folder).join("c")).unwrap(), Path::new("a"));
        assert_eq!(std::fs::read_link(fixture.path(folder).join("dangling")).unwrap(), Path::new("none"));
        let mode = fixture.path(folder).join("a").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
    }
    assert_eq!((read("single"), read("existing/single")), ("one\n".to_owned(), "one\n".to_owned()));
    assert!(fixture.path("single").symlink_metadata().unwrap().is_file());
    assert_eq!(std::fs::read_dir(fixture.path("victim")).unwrap().count(), 0);
    assert!(!fixture.path("refused").exists());
    let left = |path: &str| {
        let names = std::fs::read_dir(fixture.path(path)).unwrap().flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".ami-bake-")).count()
    };
    assert_eq!((left(""), left("out"), left("linked")), (0, 0, 0));
}

#[cfg(feature = "local")]
#[test]
fn a_sandbox_sends_files_folders_and_links_that_stay_inside() {
    let head = "format: 1\nname: shop\nplatform: local\nimages:\n  web:\n    source: {local: host}\n    build:";
    check(&Fixture::with(&format!("{head}{STEPS}")));
}

#[cfg(feature = "docker")]
#[test]
fn a_container_sends_files_folders_and_links_that_stay_inside() {
    use ami_bake_testkit::docker::{BASE, Engine};
    let engine = Engine::get();
    let name = crate::docker::namespace("downloads");
    let head = format!(
        "format: 1\nname: {name}\nplatform: docker\nimages:\n  web:\n    source: {{docker: {BASE}}}\n    build:"
    );
    check(&Fixture::with(&format!("{head}{STEPS}")).variable("DOCKER_HOST", engine.host()));
}
