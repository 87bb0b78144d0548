//! Uploaded files: read once to plan, with little memory, and sent as they were planned.

use std::fs::File;
use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::fixture::{CommandOutcome, Fixture};

const MANIFEST: &str = "format: 1
name: shop
platform: local
images:
  web:
    source: {local: host}
    build: [{upload: big.bin, to: /srv/big.bin}]
";

const SIZE: u64 = 1 << 30;
/// Maximum bytes that the size of a file may add to the memory of `plan`.
const LIMIT: u64 = 20 << 20;

/// A file that is a hole of this size.
fn sparse(fixture: &Fixture, size: u64) {
    File::create(fixture.folder().join("big.bin")).unwrap().set_len(size).unwrap();
}

/// Runs a command, and measures its peak memory in bytes.
fn measured(fixture: &Fixture, arguments: &[&str]) -> (CommandOutcome, u64) {
    let child = fixture.command(arguments).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let peak = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                let text = std::fs::read_to_string(&status).unwrap_or_default();
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
                peak = peak.max(kibibytes.unwrap_or(0) << 10);
                std::thread::sleep(Duration::from_millis(5));
            }
            peak
        });
        let outcome = fixture.finish(child);
        done.store(true, Ordering::Relaxed);
        (outcome, peak.join().unwrap())
    })
}

/// Counts how often a file is opened while `work` runs. The kernel merges equal consecutive events, so close events are
/// watched, too.
fn opens(path: &Path, work: impl FnOnce()) -> usize {
    let watch = inotify::init(CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, path, WatchFlags::OPEN | WatchFlags::CLOSE).unwrap();
    work();
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    let mut count = 0;
    loop {
        match events.next() {
            Ok(event) => count += usize::from(event.events().contains(ReadFlags::OPEN)),
            Err(Errno::AGAIN) => return count,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn planning_reads_an_upload_once_and_holds_little_of_it() {
    let fixture = Fixture::with(MANIFEST);
    sparse(&fixture, 1);
    let (small, before) = measured(&fixture, &["plan"]);
    small.exits(0);
    sparse(&fixture, SIZE);
    let mut after = 0;
    let count = opens(&fixture.folder().join("big.bin"), || {
        let (big, peak) = measured(&fixture, &["plan"]);
        big.exits(0);
        after = peak;
    });
    assert_eq!(count, 1);
    let added = after.saturating_sub(before);
    assert!(before > 0 && added < LIMIT, "{SIZE} bytes to upload add {added} bytes to the memory of plan");
}

#[test]
fn a_bake_reads_an_upload_twice() {
    let fixture = Fixture::with(MANIFEST);
    sparse(&fixture, 100_000);
    // Before sending, each file is opened once more without reading it: if one is unreadable, nothing is sent.
    assert_eq!(opens(&fixture.folder().join("big.bin"), || drop(fixture.run(&["bake"]).exits(0))), 3);
}

/// A file that changed between planning and sending does not match the digest. A step that fetches a file changes it
/// here.
#[test]
fn what_changes_while_baking_is_not_sent() {
    for step in ["{upload: big.bin, to: /srv/big.bin}", "{script: big.bin}"] {
        let change = "{run: \"echo 'echo two' > /srv/big.bin\"}, {download: /srv/big.bin, to: big.bin}";
        let fixture =
            Fixture::with(&MANIFEST.replace("{upload: big.bin, to: /srv/big.bin}", &format!("{change}, {step}")));
        fixture.write("big.bin", "echo one\n");
        let outcome = fixture.run(&["bake"]).exits(5);
        assert!(outcome.stderr.contains("big.bin` changed while baking"), "{}", outcome.stderr);
    }
}

#[test]
fn a_file_that_is_added_while_baking_is_not_sent() {
    let change = "{run: touch /srv/new}, {download: /srv/new, to: site/new}";
    let steps = format!("{change}, {{upload: site/, to: /srv/site}}");
    let fixture = Fixture::with(&MANIFEST.replace("{upload: big.bin, to: /srv/big.bin}", &steps));
    fixture.write("site/index.html", "it");
    let outcome = fixture.run(&["bake"]).exits(5);
    assert!(outcome.stderr.contains("site/new` was added while baking"), "{}", outcome.stderr);
}

/// The folder that the project itself is in: the bake writes into it, and it has a repository.
#[test]
fn the_project_s_own_folder_is_uploaded_without_what_is_not_of_the_image() {
    let manifest = "format: 1
name: shop
platform: local
images:
  web:
    source: {local: host}
    build: [{upload: ./, to: /srv/app}]
    test:
      - run: |
          cd /srv/app
          test -e bake.yml -a -e app/a.txt
          for name in .git bake-report.json i-0123456789abcdef0.key logs app/cache .bakeignore; do test ! -e $name; done
";
    let fixture = Fixture::with(manifest);
    let write = |name: &str, text: &str| {
        let path = fixture.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let git = std::process::Command::new("git").args(["init", "-q"]).current_dir(fixture.folder()).status().unwrap();
    assert!(git.success());
    write("app/a.txt", "x");
    write("app/cache/x", "x");
    write("i-0123456789abcdef0.key", "a kept machine's");
    write(".bakeignore", "cache/\n/state/\n");
    let check = fixture.run(&["check"]).exits(0);
    assert!(
        check.stderr.contains("not uploaded, since Git's own folders may contain credentials: `.git`"),
        "{}",
        check.stderr
    );
    let first = fixture.run(&["bake", "--log-dir", "logs"]).exits(0);
    assert!(
        first.stderr.contains("Leaving out ") && first.stderr.contains(".git: it is Git's own"),
        "{}",
        first.stderr
    );
    let second = fixture.run(&["bake", "--log-dir", "logs"]).exits(0);
    assert!(second.stderr.contains("is unchanged"), "{}", second.stderr);
    // Asked for, the repository is sent.
    let whole = manifest
        .replace("to: /srv/app}", "to: /srv/app, exclude: ['!.git']}")
        .replace("for name in .git ", "test -e .git/config; for name in ");
    fixture.write("bake.yml", &whole);
    // The repository that a home folder is in is never part of a project, and the fixture's folder is its home.
    fixture.run(&["check"]).exits(3).says("is Git's own, and not of the repository");
    let mut command = fixture.command(&["bake"]);
    command.env("HOME", "/nonexistent");
    let third = fixture.finish(command.spawn().unwrap()).exits(0);
    assert!(!third.stderr.contains("Leaving out "), "{}", third.stderr);
}
