//! Full disks: the report, the ledger, logs, downloads, the image store. Each gives a clear error and the right exit
//! code, and leaves nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::fixture::Fixture;

/// Size of a page, the minimum that a file takes on a tmpfs.
const PAGE: usize = 4096;

/// A small file system of its own, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it on a new folder, with this many free pages.
    fn on(folder: PathBuf, pages: usize) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        let options = format!("size={}", (pages + 1) * PAGE);
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder).status();
        assert!(mounted.unwrap().success(), "run the tests as root");
        std::fs::write(folder.join("other-data"), vec![0; PAGE]).unwrap();
        Self(folder)
    }

    /// Files on it, except the filler.
    fn files(&self) -> Vec<PathBuf> {
        files(&self.0).into_iter().filter(|path| !path.ends_with("other-data")).collect()
    }

    /// Enlarges the file system.
    fn grow(&self) {
        let status = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// A manifest with this many images, each with one step.
fn images(count: usize, step: &str) -> String {
    let head = "format: 1\nname: shop\nversion: 1.0.0\nplatform: local\nimages:\n";
    let image = |number| format!("  web{number}:\n    source: {{local: host}}\n    build:\n      - {step}\n");
    head.to_owned() + &(0..count).map(image).collect::<String>()
}

fn published(fixture: &Fixture, store: &[&str]) -> usize {
    let images = fixture.run(&[&["images", "--platform", "local", "--json"], store].concat()).exits(0);
    let images: Value = serde_json::from_str(&images.stdout).unwrap();
    images["images"].as_array().unwrap().len()
}

/// Asserts that there is no machine, no trash, and no layer without an image.
fn nothing_leaked(store: &Path) {
    let count = |name: &str| std::fs::read_dir(store.join(name)).map_or(0, Iterator::count);
    ami_bake_testkit::wait::until_true("the trash is not removed", || count("trash") == 0);
    assert_eq!((count("machines"), count("layers")), (0, count("images")), "{:?}", files(store));
}

fn ledgers(state: &Path) -> Vec<PathBuf> {
    files(state).into_iter().filter(|path| path.to_string_lossy().ends_with(".ledger.jsonl")).collect()
}

#[test]
fn a_report_that_does_not_fit_is_reported_and_the_image_is_there() {
    let fixture = Fixture::with(&images(1, "run: echo hello > /opt/hello"));
    let disk = SmallDisk::on(fixture.path("work"), 1);
    let manifest = fixture.path("bake.yml").display().to_string();
    let mut bake = fixture.command(&["bake", &manifest]);
    let outcome = fixture.finish(bake.current_dir(&disk.0).spawn().unwrap()).exits(9);
    for said in ["bake-report.json", "No space left on device", "Run ami-bake in a writable folder"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    assert_eq!(disk.files(), Vec::<PathBuf>::new(), "no half report");
    assert_eq!(published(&fixture, &[]), 1);
    nothing_leaked(&fixture.path("state/ami-bake/store"));
    assert_eq!(ledgers(&fixture.path("state")), Vec::<PathBuf>::new());
}

#[test]
fn without_room_for_the_ledger_nothing_begins() {
    let fixture = Fixture::with(&images(1, "run: echo hello > /opt/hello"));
    let disk = SmallDisk::on(fixture.path("state/ami-bake"), 0);
    let store = fixture.path("store").display().to_string();
    let outcome = fixture.run(&["bake", "--store", &store]).exits(4);
    for said in ["write the ledger", "No space left on device", "XDG_STATE_HOME"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    assert_eq!(disk.files(), Vec::<PathBuf>::new());
    assert_eq!(files(&fixture.path("store")), Vec::<PathBuf>::new(), "nothing was created");
}

#[test]
fn a_ledger_without_room_ends_the_bake_cleanly() {
    // A page has room for the entries of some six resources; each image has two machines and two images.
    let fixture = Fixture::with(&images(6, "run: echo hello > /opt/hello"));
    let disk = SmallDisk::on(fixture.path("state/ami-bake"), 1);
    let store = fixture.path("store").display().to_string();
    let outcome = fixture.run(&["bake", "--store", &store]).exits(5);
    for said in ["write the ledger", "No space left on device", "Free some disk space"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    nothing_leaked(&fixture.path("store"));
    // The file may list resources that are gone already, which does no harm.
    disk.grow();
    fixture.run(&["sweep", "--platform", "local", "--store", &store, "--yes"]).exits(0);
    fixture.run(&["bake", "--store", &store]).exits(0);
    assert_eq!(published(&fixture, &["--store", &store]), 6);
    assert_eq!(ledgers(&fixture.path("state")), Vec::<PathBuf>::new());
    nothing_leaked(&fixture.path("store"));
}

#[test]
fn logs_and_downloads_that_do_not_fit() {
    let fixture = Fixture::with(&images(1, "run: seq 100000"));
    let disk = SmallDisk::on(fixture.path("logs"), 2);
    let outcome = fixture.run(&["bake", "--log-dir", "logs"]).exits(0);
    for said in ["logs/web0-build-1.log is incomplete", "No space left on device", "--log-dir"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    drop(disk);

    let step = "run: mkdir /srv/out && seq 100000 > /srv/out/numbers\n      - download: /srv/out/\n        to: small/";
    let fixture = Fixture::with(&images(1, step));
    let disk = SmallDisk::on(fixture.path("small"), 2);
    let outcome = fixture.run(&["bake"]).exits(5);
    for said in ["download `/srv/out/`", "No space left on device"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    assert_eq!(disk.files(), Vec::<PathBuf>::new(), "no half download");
    nothing_leaked(&fixture.path("state/ami-bake/store"));
}

#[test]
fn a_store_without_room() {
    // Either the step itself fails, or it passes and there is no room for what follows.
    for (step, said) in [
        ("run: head -c 5000000 /dev/zero > /opt/zeros", "No space left on device"),
        ("run: head -c 5000000 /dev/zero > /opt/zeros || true", "has free space"),
    ] {
        let fixture = Fixture::with(&images(1, step));
        let disk = SmallDisk::on(fixture.path("store"), 256);
        let store = disk.0.display().to_string();
        let outcome = fixture.run(&["bake", "--store", &store]);
        // The seal deletes files, so there may be room for the image, but none for the machine that tests it.
        assert!(matches!(outcome.code, Some(5 | 6)), "{:?}: {}", outcome.code, outcome.stderr);
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
        nothing_leaked(&disk.0);
        assert_eq!(ledgers(&fixture.path("state")), Vec::<PathBuf>::new());
    }
}

/// As with `ulimit -f`: the kernel sends SIGXFSZ, which ends a program that does not handle it (setrlimit(2)).
#[test]
fn a_limit_of_file_sizes_is_an_error_and_not_the_end() {
    let fixture = Fixture::with(&images(1, "run: seq 100000; echo hello > /opt/hello"));
    let program = env!("CARGO_BIN_EXE_ami-bake");
    let mut limited = fixture.dir().command("prlimit", &["--fsize=16384", program, "bake", "--log-dir", "logs"]);
    let outcome = fixture.finish(limited.spawn().unwrap());
    assert!(matches!(outcome.code, Some(0 | 9)), "{:?}: {}", outcome.code, outcome.stderr);
    for said in ["web0-build-1.log is incomplete", "File too large"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    nothing_leaked(&fixture.path("state/ami-bake/store"));
    assert_eq!(ledgers(&fixture.path("state")), Vec::<PathBuf>::new());
}

#[test]
fn an_empty_or_broken_ledger_stops_nothing() {
    let fixture = Fixture::with(&images(1, "run: echo hello > /opt/hello"));
    let whole = r#"{"ledger":{"version":1,"run":"r3"}}"#.to_owned() + "\n";
    fixture.write("state/ami-bake/r1.ledger.jsonl", "");
    fixture.write("state/ami-bake/r2.ledger.jsonl", "\0\0\0\0");
    fixture.write("state/ami-bake/r3.ledger.jsonl", &(whole + r#"{"intended":{"at":"2026-11-"#));
    fixture.run(&["bake"]).exits(0);
    let sweep = fixture.run(&["sweep", "--platform", "local", "--yes"]).exits(0);
    for said in ["r1.ledger.jsonl is empty", "r2.ledger.jsonl is not an ami-bake ledger", "r1.ledger.jsonl.broken"] {
        assert!(sweep.stderr.contains(said), "{said}: {}", sweep.stderr);
    }
    assert_eq!(ledgers(&fixture.path("state")), Vec::<PathBuf>::new());
    let again = fixture.run(&["sweep", "--platform", "local", "--yes"]).exits(0);
    assert!(!again.stderr.contains("ledger"), "{}", again.stderr);
}
