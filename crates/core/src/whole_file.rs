//! Writes files whole or not at all, and never through a link.
//!
//! The working directory is a checkout, in which a pull request can place a link under any predictable name; opening
//! that name would write to the target of the link. So a draft gets a random name, is created with `O_EXCL` (which also
//! refuses links, open(2)), and replaces whatever has the final name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags};
use rustix::io::Errno;

/// Permission bits of files that everybody may read, before the umask.
const COMMON: u32 = 0o666;
/// Folders of the kernel's files. These are written in place, because `/dev/stdout` does not mean a new file of that
/// name.
const KERNEL: [&str; 2] = ["/dev", "/proc"];

/// Writes the file `path`, replacing an existing one. If `path` is a link, the link is replaced and its target does not
/// change. Readers see the old content or the new one, never a part. Pipes, terminals and paths below `/dev` and
/// `/proc` are written in place.
///
/// # Errors
/// What `content` fails with, and when the folder can't be written to. Nothing of the new content is left then.
pub fn replace(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if let Some(mut stream) = stream(path)? {
        return content(&mut stream).and_then(|()| stream.flush());
    }
    let draft = Draft::write(path, COMMON, content)?;
    std::fs::rename(&draft.path, path)?;
    draft.done();
    Ok(())
}

/// Like [`replace`], but the content is synced to disk before the file gets its name: the file is complete even after a
/// power failure.
///
/// # Errors
/// As [`replace`].
pub fn replace_durably(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let draft = Draft::write(path, COMMON, content)?;
    draft.file.sync_all()?;
    std::fs::rename(&draft.path, path)?;
    draft.done();
    Ok(())
}

/// Writes the new file `path` with these permission bits (before the umask).
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when the name exists, even as a link; what `content` fails with; and when the
/// folder can't be written to. Nothing is left then.
pub fn create(path: &Path, mode: u32, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Checked first, so that `content` is not produced in vain; the rename checks again.
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let draft = Draft::write(path, mode, content)?;
    rename_new(&draft.path, path)?;
    draft.done();
    Ok(())
}

/// Renames a file or folder to a name that does not exist.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when the name exists, even as a link.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system does not support the flag. Another process may take the name between the check and the
        // rename.
        Err(Errno::INVAL | Errno::NOSYS) if to.symlink_metadata().is_err() => std::fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::AlreadyExists.into()),
        other => Ok(other?),
    }
}

/// A random name in the folder of `path`, for a draft of it.
pub fn draft_name(path: &Path) -> PathBuf {
    path.with_file_name(format!(".ami-bake-{}", uuid::Uuid::new_v4().simple()))
}

/// A file that does not have its final name yet. It is deleted when dropped before it gets the name.
struct Draft {
    path: PathBuf,
    file: File,
    done: bool,
}

impl Draft {
    fn write(path: &Path, mode: u32, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        let path = draft_name(path);
        let file = File::options().write(true).create_new(true).mode(mode).open(&path)?;
        let draft = Self { path, file, done: false };
        let mut writer = BufWriter::new(&draft.file);
        content(&mut writer)?;
        writer.flush()?;
        drop(writer);
        Ok(draft)
    }

    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done {
            // The error that is being returned says more than one from here.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The open file, if `path` can't be replaced: a pipe, a terminal, or a file of the kernel.
fn stream(path: &Path) -> io::Result<Option<File>> {
    if KERNEL.iter().any(|folder| path.starts_with(folder)) {
        return File::options().write(true).truncate(true).open(path).map(Some);
    }
    let kind = match path.symlink_metadata() {
        Ok(metadata) => metadata.file_type(),
        Err(_) => return Ok(None),
    };
    if !kind.is_fifo() && !kind.is_char_device() {
        return Ok(None);
    }
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    File::options().write(true).custom_flags(no_link).open(path).map(Some)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn text(text: &str) -> impl FnOnce(&mut dyn Write) -> io::Result<()> {
        move |to| to.write_all(text.as_bytes())
    }

    fn names(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_link_is_replaced_and_never_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("victim"), "precious").unwrap();
        symlink("victim", at("link")).unwrap();
        symlink("nothing", at("dangling")).unwrap();
        for write in [replace, replace_durably] {
            for name in ["link", "dangling", "new"] {
                write(&at(name), text("report")).unwrap();
                assert!(at(name).symlink_metadata().unwrap().is_file(), "{name}");
                assert_eq!(std::fs::read_to_string(at(name)).unwrap(), "report");
            }
        }
        symlink("nothing", at("again")).unwrap();
        for name in ["victim", "again"] {
            assert_eq!(create(&at(name), 0o600, text("x")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
        create(&at("key"), 0o600, text("secret")).unwrap();
        assert_eq!(at("key").metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(at("victim")).unwrap(), "precious");
        assert!(!at("nothing").exists());
        assert_eq!(names(folder.path()), 6);
    }

    #[test]
    fn a_failure_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "before").unwrap();
        let broken = |to: &mut dyn Write| {
            to.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        };
        assert_eq!(replace(&path, broken).unwrap_err().to_string(), "the disk is full");
        assert!(create(&folder.path().join("new"), 0o644, broken).is_err());
        assert!(replace(&folder.path().join("none/file"), text("x")).is_err());
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), names(folder.path())), ("before", 1));
    }

    #[test]
    fn a_pipe_is_written_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut read = String::new();
                File::open(&pipe).unwrap().read_to_string(&mut read).unwrap();
                read
            });
            replace(&pipe, text("through")).unwrap();
            assert_eq!(reader.join().unwrap(), "through");
        });
        replace(Path::new("/dev/null"), text("gone")).unwrap();
        assert!(pipe.metadata().unwrap().file_type().is_fifo());
    }
}
