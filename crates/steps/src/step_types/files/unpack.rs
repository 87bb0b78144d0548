//! An archive from a machine, unpacked with distrust: nothing leaves the folder, nothing is written through a link.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use ami_bake_core::plan::Exclude;
use tar::{Archive, Entry, EntryType};

use crate::local::about;

/// Where an archive goes.
pub(crate) struct TargetFolder {
    /// What the archive's first name becomes.
    pub(crate) root: PathBuf,
    /// The first name that it must have.
    pub(crate) name: PathBuf,
    /// What stays behind.
    pub(crate) exclude: Exclude,
    /// A single file goes into `root` as a folder, under its own name.
    pub(crate) into: bool,
}

/// Unpacks it; how many files it had.
///
/// # Errors
/// A path or link that leads out of the folder, an entry that is not a file, folder or link, what can't be written.
pub(crate) fn unpack(place: &TargetFolder, archive: impl Read) -> io::Result<usize> {
    let mut count = 0;
    for entry in Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let relative = inside(place, &entry.path()?)?;
        let folder = entry.header().entry_type() == EntryType::Directory;
        if !relative.as_os_str().is_empty() && place.exclude.matches(&relative, folder) {
            continue;
        }
        let target = match relative.as_os_str().is_empty() {
            true if place.into && !folder => place.root.join(&place.name),
            // Joining nothing would add a slash.
            true => place.root.clone(),
            false => place.root.join(&relative),
        };
        parents(place, &target)?;
        count += usize::from(write(place, &mut entry, &target, &relative)?);
    }
    Ok(count)
}

/// The path below the archive's own first name.
fn inside(place: &TargetFolder, path: &Path) -> io::Result<PathBuf> {
    let bad = || refuse(format!("the machine sent the path `{}`, which is outside the folder", path.display()));
    let plain: PathBuf = path
        .components()
        .filter(|component| *component != Component::CurDir)
        .map(|component| if matches!(component, Component::Normal(_)) { Ok(component) } else { Err(bad()) })
        .collect::<io::Result<_>>()?;
    plain.strip_prefix(&place.name).map(Path::to_owned).map_err(|_| bad())
}

/// Makes the folders above the target; one that is a link is refused.
fn parents(place: &TargetFolder, target: &Path) -> io::Result<()> {
    let parent = target.parent().unwrap_or(Path::new("/"));
    let mut path = place.root.clone();
    let below = parent.strip_prefix(&place.root);
    if below.is_err() {
        return fs::create_dir_all(parent).map_err(|error| about("create", parent, &error));
    }
    for component in below.into_iter().flat_map(Path::components) {
        path.push(component);
        if path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(refuse(format!(
                "the machine sent a file that would be written through the link `{}`",
                path.display()
            )));
        }
    }
    fs::create_dir_all(parent).map_err(|error| about("create", parent, &error))
}

/// Writes one entry; true when it was a file or link.
fn write(place: &TargetFolder, entry: &mut Entry<'_, impl Read>, target: &Path, relative: &Path) -> io::Result<bool> {
    let failed = |error: io::Error| about("write", target, &error);
    let kind = entry.header().entry_type();
    // No set-user-id bits, whatever the machine says.
    let mode = entry.header().mode()? & 0o777;
    if kind == EntryType::Directory {
        if !target
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir() || (metadata.is_symlink() && relative.as_os_str().is_empty()))
        {
            fs::create_dir_all(target).map_err(failed)?;
        }
        return Ok(false);
    }
    if target.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) {
        fs::remove_file(target).map_err(failed)?;
    }
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let modified = entry.header().mtime().ok();
            let mut file = File::options().write(true).create_new(true).open(target).map_err(failed)?;
            io::copy(entry, &mut file).map_err(failed)?;
            file.set_permissions(fs::Permissions::from_mode(mode | 0o200)).map_err(failed)?;
            if let Some(seconds) = modified {
                // Best effort: this file system may not support the date.
                let _ = file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
            }
        }
        EntryType::Symlink => {
            let to = entry.link_name()?.ok_or_else(|| refuse("the machine sent a link without a target".to_owned()))?;
            if leaves(relative, &to) {
                return Err(refuse(format!(
                    "the link `{}` on the machine points outside the folder, to `{}`",
                    relative.display(),
                    to.display()
                )));
            }
            symlink(&to, target).map_err(failed)?;
        }
        EntryType::Link => {
            let to = entry.link_name()?.ok_or_else(|| refuse("the machine sent a link without a target".to_owned()))?;
            let other = inside(place, &to)?;
            let other = place.root.join(other);
            parents(place, &other)?;
            if !other.symlink_metadata().map_err(|error| about("link to", &other, &error))?.is_file() {
                return Err(refuse(format!("the machine sent a hard link to `{}`, which is not a file", to.display())));
            }
            fs::hard_link(&other, target).map_err(failed)?;
        }
        _ => return Err(refuse(format!("`{}` on the machine is a device, pipe or socket", relative.display()))),
    }
    Ok(true)
}

/// Whether a link at `relative` leads above the folder.
fn leaves(relative: &Path, to: &Path) -> bool {
    let mut depth = relative.components().count().saturating_sub(1);
    for component in to.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return true,
        }
    }
    false
}

fn refuse(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with names as an attacker writes them: the library would refuse to.
    fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, name, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o4755);
            let data = if *kind == EntryType::Regular { content.as_bytes() } else { b"" };
            header.set_size(data.len() as u64);
            if *kind == EntryType::Symlink || *kind == EntryType::Link {
                header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content.as_bytes());
            }
            header.set_cksum();
            builder.append(&header, data).unwrap();
        }
        builder.into_inner().unwrap()
    }

    /// Entries, and what the refusal says.
    type Attack = (&'static [(EntryType, &'static str, &'static str)], &'static str);

    fn place(root: &Path) -> TargetFolder {
        let exclude = Exclude::new(&["*.log".to_owned()]).unwrap();
        TargetFolder { root: root.join("out"), name: "logs".into(), exclude, into: false }
    }

    #[test]
    fn attacks_are_refused_and_nothing_is_outside() {
        use EntryType::{Block, Link, Regular, Symlink};
        let attacks: [Attack; 9] = [
            (&[(Regular, "logs/../../evil", "x")], "outside the folder"),
            (&[(Regular, "/evil", "x")], "outside the folder"),
            (&[(Regular, "other/evil", "x")], "outside the folder"),
            (
                &[(Symlink, "logs/a", "/etc/passwd")],
                "the link `a` on the machine points outside the folder, to `/etc/passwd`",
            ),
            (&[(Symlink, "logs/d/a", "../../x")], "outside the folder"),
            (&[(Symlink, "logs/a", "b"), (Regular, "logs/a/c", "x")], "would be written through the link"),
            (&[(Link, "logs/a", "/etc/passwd")], "outside the folder"),
            (&[(Symlink, "logs/a", "b"), (Link, "logs/c", "logs/a")], "is not a file"),
            (&[(Block, "logs/a", "")], "is a device"),
        ];
        for (entries, expected) in attacks {
            let folder = tempfile::tempdir().unwrap();
            let error = unpack(&place(folder.path()), &archive(entries)[..]).unwrap_err().to_string();
            assert!(error.contains(expected), "{entries:?}: {error}");
            assert!(!folder.path().join("evil").exists());
        }
    }

    #[test]
    fn files_links_and_folders_arrive_without_set_user_id() {
        let folder = tempfile::tempdir().unwrap();
        let entries = [
            (EntryType::Directory, "logs/", ""),
            (EntryType::Regular, "./logs/a/b", "text"),
            (EntryType::Regular, "logs/a/x.log", "no"),
            (EntryType::Symlink, "logs/c", "a/../a/b"),
            (EntryType::Link, "logs/d", "logs/a/b"),
        ];
        assert_eq!(unpack(&place(folder.path()), &archive(&entries)[..]).unwrap(), 3);
        let out = folder.path().join("out");
        assert_eq!(fs::read_to_string(out.join("c")).unwrap(), "text");
        assert_eq!(fs::read_to_string(out.join("d")).unwrap(), "text");
        assert_eq!(fs::metadata(out.join("a/b")).unwrap().permissions().mode() & 0o7777, 0o755);
        assert!(!out.join("a/x.log").exists());
        // Again, over what is there.
        assert_eq!(unpack(&place(folder.path()), &archive(&entries)[..]).unwrap(), 3);
    }
}
