//! Tests of `upload` and `download`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use ami_bake_core::archive::ArchiveLimits;
use ami_bake_core::plan::{DownloadStep, Step, StepAction, UploadStep};
use ami_bake_core::shell::quote;
use ami_bake_testkit::shell::HostShell;

use crate::fixture::{Fixture, step, whole};

fn send(from: &Path, contents: bool, to: &str) -> Step {
    step(StepAction::Upload(UploadStep {
        from: from.to_owned(),
        contents,
        to: to.to_owned(),
        exclude: vec!["*.map".to_owned()],
        owner: None,
        mode: None,
        follow_links: false,
    }))
}

fn fetch(from: &str, to: &Path) -> Step {
    step(StepAction::Download(DownloadStep {
        from: from.to_owned(),
        to: to.to_owned(),
        exclude: vec!["*.map".to_owned()],
        limits: ArchiveLimits::default(),
    }))
}

#[tokio::test]
async fn two_thousand_files_with_odd_names_go_there_and_back() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    let long = "n".repeat(150);
    for number in 0..2000 {
        let part = site.join(format!("part {}", number % 7)).join(&long);
        fs::create_dir_all(&part).unwrap();
        let name = format!("f{number} 'quoted' \"x\" $HOME\n-rf * ä");
        fs::write(part.join(name), format!("content {number}")).unwrap();
    }
    fs::write(site.join(OsStr::from_bytes(b"not \xff utf-8")), "x").unwrap();
    fs::write(site.join("a.map"), "stays").unwrap();
    symlink("part 0", site.join("link")).unwrap();
    fs::set_permissions(site.join(OsStr::from_bytes(b"not \xff utf-8")), fs::Permissions::from_mode(0o751)).unwrap();

    let there = folder.path().join("there");
    fixture.passes(&send(&site, false, there.to_str().unwrap())).await;
    let compare = format!("diff -r '{}' '{}'; true", site.display(), there.join("site").display());
    assert_eq!(fixture.shell.sh(&compare).await, format!("Only in {}: a.map\n", site.display()));
    assert_eq!(fs::read_link(there.join("site/link")).unwrap(), Path::new("part 0"));
    assert_eq!(
        fs::metadata(there.join("site").join(OsStr::from_bytes(b"not \xff utf-8"))).unwrap().mode() & 0o7777,
        0o751
    );

    let back = folder.path().join("back");
    fixture.passes(&fetch(there.join("site").to_str().unwrap(), &back)).await;
    let compare = format!("diff -r '{}' '{}'", there.join("site").display(), back.join("site").display());
    assert_eq!(fixture.shell.sh(&compare).await, "");
}

#[tokio::test]
async fn slashes_say_where_it_goes() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("src/sub")).unwrap();
    fs::write(at("src/file"), "1").unwrap();
    fs::write(at("src/sub/deep"), "2").unwrap();
    let to = |path: &str| at(path).to_str().unwrap().to_owned();
    fixture.passes(&send(&at("src"), true, &to("contents"))).await;
    assert_eq!(fs::read_to_string(at("contents/sub/deep")).unwrap(), "2");
    fixture.passes(&send(&at("src/file"), false, &to("renamed"))).await;
    assert_eq!(fs::read_to_string(at("renamed")).unwrap(), "1");
    fixture.passes(&send(&at("src/file"), false, &(to("new") + "/"))).await;
    assert_eq!(fs::read_to_string(at("new/file")).unwrap(), "1");
    fixture.passes(&send(&at("src/file"), false, &to("new"))).await;
    assert_eq!(fs::read_to_string(at("new/file")).unwrap(), "1");

    // An existing target folder keeps its mode.
    fs::create_dir(at("kept")).unwrap();
    fs::set_permissions(at("kept"), fs::Permissions::from_mode(0o711)).unwrap();
    fixture.passes(&send(&at("src"), true, &to("kept"))).await;
    assert_eq!(fs::metadata(at("kept")).unwrap().mode() & 0o777, 0o711);

    fixture.passes(&fetch(&to("src/file"), &at("one"))).await;
    assert_eq!(fs::read_to_string(at("one")).unwrap(), "1");
    fs::create_dir(at("into")).unwrap();
    fixture.passes(&fetch(&to("src/file"), &at("into"))).await;
    assert_eq!(fs::read_to_string(at("into/file")).unwrap(), "1");
    fixture.passes(&fetch(&(to("src") + "/"), &at("all"))).await;
    assert_eq!(fs::read_to_string(at("all/sub/deep")).unwrap(), "2");
}

#[tokio::test]
async fn owner_and_mode_are_set() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("src/sub")).unwrap();
    fs::write(folder.path().join("src/sub/file"), "1").unwrap();
    let to = folder.path().join("to");
    let mut step = send(&folder.path().join("src"), true, to.to_str().unwrap());
    let StepAction::Upload(UploadStep { owner, mode, .. }) = &mut step.action else { unreachable!() };
    (*owner, *mode) = (Some("daemon:adm".to_owned()), Some(0o640));
    fixture.passes(&step).await;
    let look = format!("cd '{}' && stat -c '%U:%G %a' . sub sub/file", to.display());
    assert_eq!(fixture.shell.sh(&look).await, "daemon:adm 750\ndaemon:adm 750\ndaemon:adm 640\n");
    let StepAction::Upload(UploadStep { owner, .. }) = &mut step.action else { unreachable!() };
    *owner = Some("nobody-such".to_owned());
    assert_eq!(fixture.fails(&step).await.message(), "step `it`: the machine has no user `nobody-such`");
}

#[tokio::test]
async fn links_are_followed_where_the_step_says_so() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("src")).unwrap();
    fs::create_dir_all(at("shared/sub")).unwrap();
    fs::write(at("shared/s.conf"), "1").unwrap();
    fs::write(at("shared/sub/deep"), "2").unwrap();
    std::os::unix::fs::symlink("../shared/s.conf", at("src/file")).unwrap();
    std::os::unix::fs::symlink("../shared", at("src/folder")).unwrap();
    let mut step = send(&at("src"), true, at("to").to_str().unwrap());
    let StepAction::Upload(UploadStep { follow_links, .. }) = &mut step.action else { unreachable!() };
    *follow_links = true;
    fixture.passes(&step).await;
    for (name, content) in [("to/file", "1"), ("to/folder/s.conf", "1"), ("to/folder/sub/deep", "2")] {
        assert_eq!(fs::read_to_string(at(name)).unwrap(), content);
        assert!(!fs::symlink_metadata(at(name)).unwrap().is_symlink(), "{name}");
    }
    assert!(!fs::symlink_metadata(at("to/folder")).unwrap().is_symlink());
    std::os::unix::fs::symlink("..", at("shared/sub/up")).unwrap();
    let error = fixture.fails(&step).await;
    assert!(error.message().contains("leads back to its own folder"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_is_sent() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to");
    let error = fixture.fails(&send(&folder.path().join("none"), false, to.to_str().unwrap())).await;
    assert!(error.message().contains("none`: No such file"), "{error}");
    assert_eq!(error.route().unwrap().to_string(), "images.web.build[0].upload");
    let error = fixture.fails(&send(folder.path(), false, "relative")).await;
    assert_eq!(error.message(), "step `it`: `relative` is not an absolute path");
    fs::create_dir(folder.path().join("src")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("src/s")).unwrap();
    let error = fixture.fails(&send(&folder.path().join("src"), false, to.to_str().unwrap())).await;
    assert!(error.message().contains("it is a socket"), "{error}");
    assert!(!to.exists());
    let error = whole(&fixture.fails(&fetch("/no/such/file", folder.path())).await);
    assert!(error.starts_with("step `it`: `/no/such/file` not found on the machine"), "{error}");
}

#[tokio::test]
async fn a_failure_on_the_machine_is_reported() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "1").unwrap();
    let error = whole(&fixture.fails(&send(&folder.path().join("file"), false, "/proc/none/file")).await);
    assert!(error.contains("to `/proc/none/file` on the machine | unpack: mkdir"), "{error}");
}

/// A machine whose `tar` is replaced by this script; the real one is `tar.real`.
async fn with_tar(script: &str) -> Fixture {
    let fixture = Fixture::with(&[], HostShell::sandbox().await);
    let script = format!("#!/bin/sh\n{script}\n");
    fixture
        .shell
        .sh(&format!(
            "mv /usr/bin/tar /usr/bin/tar.real; printf %s {} >/usr/bin/tar; chmod 755 /usr/bin/tar",
            quote(&script)
        ))
        .await;
    fixture.shell.sh("mkdir -p /opt/logs && echo one >/opt/logs/a && echo two >/opt/logs/b").await;
    fixture
}

#[tokio::test]
async fn a_download_that_fails_at_its_end_leaves_nothing() {
    // The whole archive arrives, and then tar reports that a file could not be read.
    let fixture = with_tar("tar.real \"$@\"; echo 'tar: b: Cannot open' >&2; exit 2").await;
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [("/opt/logs", "to"), ("/opt/logs/", "deep/to"), ("/opt/logs/a", "file"), ("/opt/logs/a", "d/")] {
        let error = fixture.fails(&fetch(from, &folder.path().join(to))).await;
        assert!(whole(&error).contains("Cannot open"), "{}", whole(&error));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{from}");
    }
}

#[tokio::test]
async fn a_download_that_is_broken_off_leaves_nothing() {
    let fixture = with_tar("tar.real \"$@\" | head -c 2560; exec sleep 4714").await;
    let folder = tempfile::tempdir().unwrap();
    let mut download = fetch("/opt/logs", &folder.path().join("to"));
    download.timeout = Some(std::time::Duration::from_millis(700));
    let error = fixture.fails(&download).await;
    assert!(error.message().contains("it"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_refused_download_says_what_to_do_at_the_key() {
    let fixture = with_tar("ln -s /etc /opt/logs/etc 2>/dev/null; exec tar.real \"$@\"").await;
    let folder = tempfile::tempdir().unwrap();
    let mut download = fetch("/opt/logs", folder.path());
    let error = fixture.fails(&download).await;
    assert!(error.message().ends_with("`etc` is a link that points outside the folder, to `/etc`"), "{error}");
    assert!(error.help_text().is_some_and(|help| help.contains("`exclude`")));
    assert_eq!(error.route().unwrap().to_string(), "images.web.build[0].download");
    let StepAction::Download(DownloadStep { limits, .. }) = &mut download.action else { unreachable!() };
    limits.files = 2;
    let error = fixture.fails(&download).await;
    assert!(error.message().contains("exceeds the limit of 2 files"), "{error}");
    assert!(error.help_text().is_some_and(|help| help.contains("Raise `limits: {files: …}`")));
    assert_eq!(error.route().unwrap().to_string(), "images.web.build[0].limits");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
