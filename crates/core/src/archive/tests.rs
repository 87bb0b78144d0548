//! Malicious archives, built byte by byte because the tar library refuses to write them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tar::EntryType::{self, Block, Char, Directory, Fifo, Link, Regular, Symlink};

use super::*;

/// An entry: its type, its path, and its content or target.
type Case<'a> = (EntryType, &'a str, &'a str);

fn entry(to: &mut tar::Builder<Vec<u8>>, (kind, name, content): Case<'_>) {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o7755);
    let link = kind == Symlink || kind == Link;
    let data = if link { b"" } else { content.as_bytes() };
    header.set_size(data.len() as u64);
    if link {
        header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content.as_bytes());
    }
    header.set_cksum();
    to.append(&header, data).unwrap();
}

fn archive(entries: &[Case<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for case in entries {
        entry(&mut builder, *case);
    }
    builder.into_inner().unwrap()
}

/// An extended header (pax) before an empty file.
fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions(records.iter().copied()).unwrap();
    entry(&mut builder, (Regular, "logs/short", ""));
    builder.into_inner().unwrap()
}

/// A folder with a victim, the folder `to` to unpack into, and links in `to` that point to the victim.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("victim")).unwrap();
        fs::write(folder.path().join("victim/file"), "precious").unwrap();
        fs::create_dir(folder.path().join("to")).unwrap();
        symlink("../victim", folder.path().join("to/planted")).unwrap();
        symlink("../victim/file", folder.path().join("to/planted-file")).unwrap();
        fs::write(folder.path().join("to/mine"), "mine").unwrap();
        Self(folder)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Every path below the folder, with its kind or content.
    fn state(&self) -> Vec<String> {
        let mut all = Vec::new();
        list(self.0.path(), &mut all);
        all.sort();
        all
    }

    fn unpack(&self, root: Root<'_>, archive: &[u8]) -> Result<u64, ArchiveError> {
        let limits = ArchiveLimits { files: 20, size: 1 << 20, depth: 4 };
        Unpack { root, skip: &|path, _| path.extension().is_some_and(|end| end == "skip"), limits }
            .draft(&self.at("to"), archive)?
            .keep()
    }
}

fn list(folder: &Path, all: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let content = match metadata.file_type() {
            kind if kind.is_symlink() => format!("-> {}", fs::read_link(&path).unwrap().display()),
            kind if kind.is_dir() => {
                list(&path, all);
                "/".to_owned()
            }
            _ => format!("{:o} {} {}", metadata.mode(), metadata.nlink(), fs::read_to_string(&path).unwrap()),
        };
        all.push(format!("{} {content}", path.display()));
    }
}

fn folder() -> Root<'static> {
    Root::Folder("logs".as_ref(), None)
}

#[test]
fn whatever_is_refused_leaves_everything_as_it_was() {
    let long = format!("logs/{}", "x".repeat(90));
    let deep = "logs/a/b/c/d";
    let attacks: &[(&[Case<'_>], &str)] = &[
        // Names that lead outside.
        (&[(Regular, "logs/../../evil", "x")], "outside the folder"),
        (&[(Regular, "../victim/file", "x")], "outside the folder"),
        (&[(Regular, "/evil", "x")], "outside the folder"),
        (&[(Regular, "other/evil", "x")], "outside the folder"),
        (&[(Regular, "logs.evil", "x")], "outside the folder"),
        (&[(Regular, "", "x")], "without a name"),
        (&[(Regular, "logs\u{1b}[2J/\u{202e}x", "x")], "`logs/x` is outside the folder"),
        // Links in place of the root folder.
        (&[(Symlink, "logs", "../victim"), (Regular, "logs/file", "x")], "`logs` is not a folder"),
        (&[(Symlink, "./logs/", "../victim")], "is not a folder"),
        (&[(Regular, "logs", "x")], "`logs` is not a folder"),
        (&[(Link, "logs", "/etc/passwd")], "is not a folder"),
        (&[(Fifo, "logs", "")], "is not a folder"),
        // Links that point outside, directly or through other links, and files written through links.
        (&[(Symlink, "logs/a", "/etc/passwd")], "`a` is a link that points outside the folder, to `/etc/passwd`"),
        (&[(Symlink, "logs/a", "..")], "points outside"),
        (&[(Symlink, "logs/d/a", "../../x")], "points outside"),
        (&[(Symlink, "logs/d", "."), (Symlink, "logs/x", "d/d/../../victim")], "`x` is a link that points outside"),
        (&[(Symlink, "logs/x", "d/d/../../victim"), (Symlink, "logs/d", ".")], "`x` is a link that points outside"),
        (&[(Symlink, "logs/a", "b"), (Regular, "logs/a/c", "x")], "written through the link `a`"),
        (&[(Symlink, "logs/a", "b"), (Directory, "logs/a", ""), (Regular, "logs/a/c", "x")], "through the link `a`"),
        (&[(Directory, "logs/b", ""), (Symlink, "logs/a", "b"), (Symlink, "logs/a/c", "x")], "through the link `a`"),
        (&[(Symlink, "logs/a", "")], "without a target"),
        // Hard links and special files.
        (&[(Link, "logs/a", "/etc/passwd")], "is outside the folder"),
        (&[(Link, "logs/a", "../victim/file")], "is outside the folder"),
        (&[(Link, "logs/a", "logs/mine")], "hard link to `mine`, which is not a file of the archive"),
        (&[(Link, "logs/a", "logs/planted/file")], "not a file of the archive"),
        (&[(Symlink, "logs/a", "b"), (Link, "logs/c", "logs/a")], "not a file of the archive"),
        (&[(Directory, "logs/a", ""), (Link, "logs/c", "logs/a")], "not a file of the archive"),
        (&[(Link, "logs/a", "")], "without a target"),
        (&[(Block, "logs/a", "")], "is a device"),
        (&[(Char, "logs/a", "")], "is a device"),
        (&[(Fifo, "logs/a", "")], "is a device, pipe or socket"),
        (&[(EntryType::new(b'V'), "logs/a", "")], "is a device"),
        // Conflicts within the archive, and with existing files.
        (&[(Regular, "logs/a", "x"), (Regular, "logs/a/b", "x")], "`a` is both a file and a folder"),
        (&[(Regular, "logs/a/b", "x"), (Regular, "logs/a", "x")], "`a` is both a folder and a file"),
        (&[(Regular, "logs/planted/file", "x")], "`planted` is a link here: files would be written through it"),
        (&[(Directory, "logs/planted", "")], "`planted` is a link here"),
        (
            &[(Regular, "logs/a", "x"), (Directory, "logs/mine", "")],
            "`mine` is a file here but a folder in the download",
        ),
        // Limits.
        (&[(Regular, "logs/a", "x"); 21], "`logs/a` exceeds the limit of 20 files"),
        (&[(Regular, "logs/a.skip", "x"); 21], "exceeds the limit of 20 files"),
        (&[(Regular, deep, "x")], "`logs/a/b/c/d` is deeper than the limit of 4 folders"),
    ];
    for (entries, expected) in attacks {
        let place = Place::new();
        let before = place.state();
        let error = place.unpack(folder(), &archive(entries)).unwrap_err().to_string();
        assert!(error.contains(expected), "{entries:?}: {error}");
        assert_eq!(place.state(), before, "{entries:?}");
    }
    assert!(Place::new().unpack(folder(), &archive(&[(Regular, &long, "x")])).is_ok());
}

#[test]
fn a_single_file_is_a_file() {
    let file = Root::File("log".as_ref(), "planted-file".as_ref());
    let attacks: &[(&[Case<'_>], &str)] = &[
        (&[(Symlink, "log", "../victim/file")], "`log` is not a file"),
        (&[(Symlink, "log", "../victim/file"), (Regular, "log", "x")], "`log` is not a file"),
        (&[(Directory, "log", "")], "`log` is not a file"),
        (&[(Regular, "log", "x"), (Regular, "log/x", "x")], "is inside a file"),
        (&[(Link, "log", "mine")], "`log` is not a file"),
        (&[(Char, "log", "")], "`log` is not a file"),
        (&[(Regular, "other", "x")], "outside the folder"),
        (&[], "the archive has no file"),
    ];
    for (entries, expected) in attacks {
        let place = Place::new();
        let before = place.state();
        let error = place.unpack(file, &archive(entries)).unwrap_err().to_string();
        assert!(error.contains(expected), "{entries:?}: {error}");
        assert_eq!(place.state(), before, "{entries:?}");
    }
    // A link of the same name is replaced, and its target does not change.
    let place = Place::new();
    assert_eq!(place.unpack(file, &archive(&[(Regular, "./log", "text")])).unwrap(), 1);
    assert!(place.at("to/planted-file").symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read_to_string(place.at("victim/file")).unwrap(), "precious");
    // A folder is not replaced.
    fs::remove_file(place.at("to/planted-file")).unwrap();
    fs::create_dir(place.at("to/planted-file")).unwrap();
    let error = place.unpack(file, &archive(&[(Regular, "log", "text")])).unwrap_err().to_string();
    assert_eq!(error, "`planted-file` is a folder here but a file in the download");
}

#[test]
fn files_links_and_folders_arrive_without_set_user_id() {
    let entries = [
        (Directory, "logs/", ""),
        (Regular, "./logs/a/b", "text"),
        (Regular, "logs/a/x.skip", "no"),
        (Symlink, "logs/c", "a/../a/b"),
        (Symlink, "logs/dangling", "a/none"),
        (Symlink, "logs/circle", "circle"),
        (Link, "logs/d", "logs/a/b"),
        (Regular, "logs/e", "old"),
        (Regular, "logs/e", "new"),
        (Directory, "logs/empty", ""),
        (Symlink, "logs/planted-file", "mine"),
    ];
    let place = Place::new();
    for root in [folder(), Root::Folder("logs".as_ref(), Some("named".as_ref()))] {
        // Unpacks twice: the second time over the existing files.
        for _ in 0..2 {
            assert_eq!(place.unpack(root, &archive(&entries)).unwrap(), 8);
        }
        let to = if root == folder() { place.at("to") } else { place.at("to/named") };
        assert_eq!(fs::read_to_string(to.join("c")).unwrap(), "text");
        assert_eq!(fs::read_to_string(to.join("d")).unwrap(), "text");
        assert_eq!(fs::read_to_string(to.join("e")).unwrap(), "new");
        let metadata = fs::metadata(to.join("a/b")).unwrap();
        assert_eq!((metadata.permissions().mode() & 0o7777, metadata.nlink()), (0o755, 1));
        assert!(!to.join("a/x.skip").exists() && to.join("empty").is_dir());
        assert_eq!(fs::read_link(to.join("planted-file")).unwrap(), Path::new("mine"));
    }
    assert_eq!(fs::read_to_string(place.at("to/mine")).unwrap(), "mine");
    let drafts = place.state().iter().filter(|line| line.contains(".ami-bake-")).count();
    assert_eq!(drafts, 0);
}

#[test]
fn names_are_bytes() {
    let place = Place::new();
    let odd = b"logs/not \xff utf-8 '\"$x";
    let long = format!("logs/{}", "n".repeat(200));
    for path in [&odd[..], long.as_bytes()] {
        assert_eq!(place.unpack(folder(), &pax(&[("path", path)])).unwrap(), 1);
        let name = Path::new(std::os::unix::ffi::OsStrExt::from_bytes(&path[5..]) as &std::ffi::OsStr);
        assert!(place.at("to").join(name).is_file());
    }
    let before = place.state();
    for (path, expected) in [
        (&b"logs/nul\0nul"[..], "has a NUL byte"),
        (b"logs/../../victim/file", "outside the folder"),
        (b"/etc/evil", "outside the folder"),
        // The library can't read this header, and would use the short name.
        (b"logs/a\nb", "has an extended header that can't be read"),
    ] {
        let error = place.unpack(folder(), &pax(&[("path", path)])).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let sparse = pax(&[("GNU.sparse.major", b"1")]);
    let error = place.unpack(folder(), &sparse).unwrap_err().to_string();
    assert_eq!(error, "`logs/short` is a sparse file in a format that is not supported");
    let error = place.unpack(folder(), &pax(&[("path", "logs/".repeat(2000).as_bytes())])).unwrap_err().to_string();
    assert!(error.ends_with("…` is longer than 4096 bytes"), "{error}");
    let error = place.unpack(folder(), &pax(&[("path", "logs/".repeat(800).as_bytes())])).unwrap_err().to_string();
    assert!(error.contains("…` is deeper than the limit"), "{error}");
    let error = place.unpack(folder(), &pax(&[("path", format!("logs/{}", "n".repeat(300)).as_bytes())])).unwrap_err();
    assert!(error.to_string().contains("File name too long"), "{error}");
    assert_eq!(place.state(), before);
}

/// A reader of a prefix followed by endless bytes, which counts the bytes that were read.
struct Endless<'a>(&'a [u8], u8, &'a mut u64);

impl std::io::Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = if self.0.is_empty() {
            buffer.fill(self.1);
            buffer.len()
        } else {
            std::io::Read::read(&mut self.0, buffer)?
        };
        *self.2 += read as u64;
        Ok(read)
    }
}

#[test]
fn bombs_are_refused_before_they_grow() {
    // Headers that announce terabytes (a name, extended attributes, the map of a sparse file), an endless file, and
    // endless padding.
    let head = |kind: u8, size: u64| {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..6].copy_from_slice(b"logs/x");
        header.set_entry_type(EntryType::new(kind));
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let mut sparse = tar::Header::new_gnu();
    sparse.as_mut_bytes()[..6].copy_from_slice(b"logs/x");
    sparse.set_entry_type(EntryType::GNUSparse);
    sparse.set_size(0);
    sparse.as_gnu_mut().unwrap().set_is_extended(true);
    sparse.set_cksum();
    let one = archive(&[(Regular, "logs/a", "x")]);
    for (begin, fill, most, expected) in [
        (head(b'L', 1 << 40), b'a', 16 << 20, "the headers of the first entry are longer than 4 MiB"),
        (head(b'K', 1 << 40), b'a', 16 << 20, "longer than 4 MiB"),
        (head(b'x', 1 << 40), b'a', 16 << 20, "longer than 4 MiB"),
        (sparse.as_bytes().to_vec(), 0, 16 << 20, ""),
        (head(b'0', 1 << 40), b'a', 1 << 20, "with `x` (1 TiB) the files exceed the limit of 1 MiB"),
        (one, 0, 20 << 20, "goes on after its end"),
    ] {
        let place = Place::new();
        let before = place.state();
        let mut read = 0;
        let limits = ArchiveLimits { files: 20, size: 1 << 20, depth: 4 };
        let unpack = Unpack { root: folder(), skip: &|_, _| false, limits };
        let error = unpack.draft(&place.at("to"), Endless(&begin, fill, &mut read)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(read <= most, "{read} bytes were read: {error}");
        assert_eq!(place.state(), before);
    }
}

#[test]
fn a_sparse_file_keeps_its_holes_and_counts_whole() {
    let folder_of = tempfile::tempdir().unwrap();
    let logs = folder_of.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let file = fs::File::create(logs.join("sparse")).unwrap();
    file.set_len(64 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"end", (64 << 20) - 3).unwrap();
    drop(file);
    let tar =
        std::process::Command::new("tar").args(["-cSf", "-", "-C"]).arg(folder_of.path()).arg("logs").output().unwrap();
    assert!(tar.status.success() && tar.stdout.len() < 1 << 20);
    let place = Place::new();
    let error = place.unpack(folder(), &tar.stdout).unwrap_err();
    assert!(error.is_limit() && error.to_string().contains("`sparse` (64 MiB)"), "{error}");
    unpack(&tar.stdout[..], &place.at("to"), ArchiveLimits::default()).unwrap();
    let there = place.at("to/logs/sparse").metadata().unwrap();
    assert!(there.len() == 64 << 20 && there.blocks() * 512 < 1 << 20, "{} blocks", there.blocks());
    assert!(fs::read(place.at("to/logs/sparse")).unwrap().ends_with(b"\0end"));
}

#[test]
fn a_missing_folder_is_made_and_goes_with_a_failure() {
    let place = Place::new();
    let before = place.state();
    let into = place.at("to/x/y/z");
    let limits = ArchiveLimits::default();
    assert!(unpack(&archive(&[(Symlink, "a", "/x")])[..], &into, limits).is_err());
    let skip = |_: &Path, _: bool| false;
    drop(Unpack { root: Root::Any, skip: &skip, limits }.draft(&into, &archive(&[(Regular, "a", "x")])[..]).unwrap());
    assert_eq!(place.state(), before);
    assert_eq!(unpack(&archive(&[(Regular, "a", "x")])[..], &into, limits).unwrap(), 1);
    assert_eq!(fs::read_to_string(into.join("a")).unwrap(), "x");
    for name in ["..", ".", "a/b", "", "/", "a/"] {
        for root in [Root::Folder("logs".as_ref(), Some(name.as_ref())), Root::File("logs".as_ref(), name.as_ref())] {
            let error = Unpack { root, skip: &skip, limits }.draft(&into, &archive(&[])[..]).unwrap_err();
            assert!(error.to_string().ends_with("is not the name of a file or folder"), "{error}");
        }
    }
}

#[test]
fn half_an_archive_leaves_nothing() {
    let whole = archive(&[(Directory, "logs", ""), (Regular, "logs/a", &"x".repeat(2000)), (Regular, "logs/b", "y")]);
    for end in (1..whole.len() - 1024).step_by(97) {
        let place = Place::new();
        let before = place.state();
        if place.unpack(folder(), &whole[..end]).is_err() {
            assert_eq!(place.state(), before, "after {end} bytes");
        } else {
            // Cut between two entries: what arrived is complete.
            assert_eq!(end % 512, 0);
        }
    }
}

#[test]
fn no_mixture_of_entries_gets_out() {
    const NAMES: [&str; 12] = [
        "logs",
        "logs/a",
        "logs/a/b",
        "logs/b",
        "logs/a/b/c",
        "logs/planted",
        "logs/planted/file",
        "..",
        "/",
        "logs/mine",
        "x",
        "",
    ];
    const TARGETS: [&str; 10] =
        ["a", "b", "..", "../..", ".", "a/..", "logs/a", "/victim", "../victim/file", "a/a/../../victim"];
    const KINDS: [EntryType; 5] = [Regular, Directory, Symlink, Link, Fifo];
    let mut dice = fastrand::Rng::with_seed(0x9e37_79b9_7f4a_7c15);
    let mut passed = 0;
    for round in 0..400 {
        let entries: Vec<Case<'_>> = (0..=dice.usize(..5))
            .map(|_| {
                let kind = KINDS[dice.usize(..if round % 2 == 0 { 3 } else { 5 })];
                let name = NAMES[dice.usize(..if round % 3 == 0 { 12 } else { 6 })];
                let content = if kind == Regular { "x" } else { TARGETS[dice.usize(..TARGETS.len())] };
                (kind, name, if kind == Directory || kind == Fifo { "" } else { content })
            })
            .collect();
        let place = Place::new();
        let mut bytes = archive(&entries);
        if round % 5 == 0 {
            let at = dice.usize(..bytes.len());
            bytes[at] ^= 1 << dice.usize(..8);
        }
        let before = place.state();
        let root = if round % 4 == 0 { Root::Any } else { folder() };
        let result = place.unpack(root, &bytes);
        if result.is_err() {
            assert_eq!(place.state(), before, "{entries:?}: {result:?}");
            continue;
        }
        passed += 1;
        assert_eq!(fs::read_to_string(place.at("victim/file")).unwrap(), "precious", "{entries:?}");
        assert_eq!(fs::read_dir(place.at("victim")).unwrap().count(), 1, "{entries:?}");
        assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 2, "{entries:?}");
        let mut new = Vec::new();
        list(&place.at("to"), &mut new);
        for line in new.iter().filter(|line| !before.contains(line)) {
            if let Some((path, _)) = line.split_once(" -> ")
                && let Ok(real) = fs::canonicalize(path)
            {
                // A link of the archive may point to a link that existed before, which the user is responsible for.
                let through = fs::read_link(path).unwrap();
                assert!(real.starts_with(place.at("to")) || through.starts_with("planted"), "{line}: {entries:?}");
            }
        }
    }
    assert!(passed > 30, "only {passed} of the archives were unpacked");
}
