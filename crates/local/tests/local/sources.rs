//! Tests of sources for machines.

use std::path::Path;
use std::process::Command;

use ami_bake_core::ErrorKind;
use ami_bake_core::plan::SourceQuery;
use ami_bake_core::platform::Platform;

use crate::fixture::{LocalFixture, sh, small_root};

fn pack(root: &Path, to: &Path, how: &str) {
    let done = Command::new("tar").args([how]).arg(to).arg("-C").arg(root).arg(".").status().unwrap();
    assert!(done.success());
}

#[tokio::test]
async fn a_folder_and_tarballs_boot() {
    let fixture = LocalFixture::new();
    let root = fixture.folder.path().join("root");
    small_root(&root);
    std::fs::write(root.join("opt/mark"), "small\n").unwrap();
    let (plain, packed) = (fixture.folder.path().join("root.tar"), fixture.folder.path().join("root.tar.gz"));
    pack(&root, &plain, "-cf");
    pack(&root, &packed, "-czf");
    let mut identities = Vec::new();
    for path in [&root, &plain, &packed] {
        let source = fixture.source(path.to_str().unwrap()).await;
        let image = fixture.bake(&source, "1.0.0", "echo more >>/opt/mark; rm -r /var").await;
        let (machine, inside) = fixture.launch(&image.as_source()).await;
        assert_eq!(
            sh(inside.as_ref(), "cat /opt/mark; id -u; cat /etc/hosts; ls -d /var || echo none").await.lines().next(),
            Some("small")
        );
        assert_eq!(sh(inside.as_ref(), "ls -d /var 2>/dev/null || echo none").await, "none\n");
        machine.destroy(&fixture.run).await.unwrap();
        identities.push(source.identity);
    }
    assert_eq!(std::fs::read_to_string(root.join("opt/mark")).unwrap(), "small\n", "the folder is as it was");
    let again = fixture.source(plain.to_str().unwrap()).await;
    assert_eq!(again.identity, identities[1]);
    std::fs::write(root.join("opt/mark"), "other!\n").unwrap();
    assert_ne!(
        fixture.source(root.to_str().unwrap()).await.identity,
        identities[0],
        "a changed folder is another source"
    );
}

#[tokio::test]
async fn what_is_no_root_file_system_is_refused_by_name() {
    let fixture = LocalFixture::new();
    let folder = fixture.folder.path().join("not-a-root");
    std::fs::create_dir_all(folder.join("etc")).unwrap();
    let tarball = fixture.folder.path().join("not-a-root.tar");
    pack(&folder, &tarball, "-cf");
    let text = fixture.folder.path().join("notes.txt");
    std::fs::write(&text, "hello ".repeat(500)).unwrap();
    for (path, why) in
        [(&folder, "it has no /bin/sh"), (&tarball, "it has no /bin/sh"), (&text, "it is not a tar file")]
    {
        let query = SourceQuery::Reference(path.to_str().unwrap().to_owned());
        let error = fixture.local.find_source(&fixture.run, &query).await.unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()) && error.to_string().contains(why), "{error}");
        assert!(error.help_text().is_some() && error.kind() == ErrorKind::Preflight, "{error:?}");
    }
    assert_eq!(std::fs::read_dir(fixture.store().join("layers")).unwrap().count(), 0);
    let query = SourceQuery::Parameter("/images/base".to_owned());
    let error = fixture.local.find_source(&fixture.run, &query).await.unwrap_err();
    assert!(error.help_text().is_some_and(|help| help.contains("`local` source")), "{error:?}");
}

/// Malicious tarballs, built byte by byte because the tar library refuses to write such names and targets.
#[tokio::test]
async fn a_tarball_reaches_nothing_outside_its_root() {
    use tar::EntryType::{self, Directory, Link, Regular, Symlink};
    let fixture = LocalFixture::new();
    let victim = fixture.folder.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    let outside = victim.to_str().unwrap();
    let base: Vec<(EntryType, &str, &str)> = vec![(Directory, "etc/", ""), (Regular, "bin/sh", "#!")];
    let make = |name: &str, more: &[(EntryType, &str, &str)]| {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, path, content) in base.iter().chain(more) {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o4755);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(1_700_000_000);
            let data = if *kind == Regular { content.as_bytes() } else { b"" };
            header.set_size(data.len() as u64);
            if *kind == Symlink || *kind == Link {
                header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content.as_bytes());
            }
            header.set_cksum();
            builder.append(&header, data).unwrap();
        }
        let tarball = fixture.folder.path().join(name);
        std::fs::write(&tarball, builder.into_inner().unwrap()).unwrap();
        SourceQuery::Reference(tarball.to_str().unwrap().to_owned())
    };

    // Links of every kind are part of a root file system; files written through them stay inside.
    let deep = format!("up/{}victim/up", "../".repeat(20));
    let through = make(
        "links.tar",
        &[
            (Directory, "usr/lib", ""),
            (Symlink, "lib", "/usr/lib"),
            (Regular, "lib/x", "x"),
            (Symlink, "escape", outside),
            (Directory, &outside[1..], ""),
            (Regular, "escape/evil", "evil"),
            (Symlink, "up", "../../../../../.."),
            (Symlink, "a", &deep),
            (Regular, "up/top", "top"),
            (Regular, "/absolute", "absolute"),
            (Link, "hard", "escape/evil"),
            (Symlink, "etc/passwd", "/etc/shadow"),
            (Link, "etc/hard", "/etc/passwd"),
        ],
    );
    let source = fixture.local.find_source(&fixture.run, &through).await.unwrap();
    let root = fixture.store().join("layers").join(&source.id);
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    assert_eq!((read("usr/lib/x"), read("top"), read("absolute")), ("x".into(), "top".into(), "absolute".into()));
    assert_eq!((read(&format!("{}/evil", &outside[1..])), read("hard")), ("evil".into(), "evil".into()));
    assert_eq!(std::fs::read_link(root.join("etc/hard")).unwrap(), Path::new("/etc/shadow"));
    assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0);
    let mode = std::os::unix::fs::PermissionsExt::mode(&root.join("bin/sh").metadata().unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o4755);

    let layers = || std::fs::read_dir(fixture.store().join("layers")).unwrap().count();
    let before = layers();
    let many = "d/".repeat(49);
    for (name, entries, expected) in [
        ("dots.tar", vec![(Regular, "../evil", "x")], "`../evil` is outside the folder"),
        ("hard.tar", vec![(Link, "x", "../../victim")], "is outside the folder"),
        ("deep.tar", vec![(Regular, many.trim_end_matches('/'), "x")], ""),
    ] {
        let found = fixture.local.find_source(&fixture.run, &make(name, &entries)).await;
        if expected.is_empty() {
            found.unwrap();
            continue;
        }
        let error = found.unwrap_err();
        assert!(error.to_string().contains(expected) && error.kind() == ErrorKind::Preflight, "{error:?}");
        assert!(error.help_text().is_some());
    }
    assert_eq!(layers(), before + 1);
    assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0);
}

/// A tarball of some KiB that unpacks to more than the disk has.
#[tokio::test]
async fn a_compressed_bomb_is_refused_before_it_fills_the_disk() {
    let fixture = LocalFixture::new();
    let root = fixture.folder.path().join("root");
    small_root(&root);
    std::fs::File::create(root.join("opt/bomb")).unwrap().set_len(8 << 40).unwrap();
    let tarball = fixture.folder.path().join("root.tar.gz");
    pack(&root, &tarball, "-cSzf");
    let query = SourceQuery::Reference(tarball.to_str().unwrap().to_owned());
    let error = fixture.local.find_source(&fixture.run, &query).await.unwrap_err();
    assert!(error.to_string().contains("opt/bomb` (8 TiB) the files exceed the limit of"), "{error}");
    assert!(error.help_text().is_some_and(|help| help.contains("--store")), "{error:?}");
    let left = |name: &str| std::fs::read_dir(fixture.store().join(name)).unwrap().count();
    assert_eq!((left("layers"), left("trash")), (0, 0));
}
