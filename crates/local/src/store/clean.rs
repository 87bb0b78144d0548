//! Removes machines, images and layers that are not needed any more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ami_bake_core::{Result, whole_file};
use jiff::Timestamp;

use super::folder::{MachineFolder, Store, store_error};
use super::image::{Image, new_id};
use crate::sandbox::Helper;

/// Prefix of the names of layers that were unpacked from tarballs.
pub(crate) const TARBALL_LAYER: &str = "tar-";
/// Prefix of the names of layers that hold the disk of a source.
pub const DISK_LAYER: &str = "dsk-";

/// Files in the trash that still have to be removed from the disk.
#[derive(Debug, Default)]
#[must_use = "files in the trash use disk space until they are removed"]
pub struct Trash(Vec<PathBuf>);

impl Trash {
    /// Adds other trash.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Removes the files.
    pub fn remove(self, remover: &dyn Remover) {
        if !self.0.is_empty() {
            remover.remove(self.0);
        }
    }
}

/// Removes files and folders from the disk.
pub trait Remover: std::fmt::Debug + Send + Sync {
    /// Removes these without waiting for it. What can't be removed is left to the next run.
    fn remove(&self, paths: Vec<PathBuf>);
}

impl Remover for Helper {
    fn remove(&self, paths: Vec<PathBuf>) {
        self.remove_later(paths);
    }
}

/// Removes files of this process's user at once: few and large ones.
#[derive(Debug, Default, Clone, Copy)]
pub struct OwnFiles;

impl Remover for OwnFiles {
    fn remove(&self, paths: Vec<PathBuf>) {
        for path in paths {
            if let Err(error) = std::fs::remove_dir_all(&path) {
                tracing::debug!(%error, path = %path.display(), "could not remove files; the next run retries");
            }
        }
    }
}

/// A machine whose process has ended.
#[derive(Debug)]
pub(crate) struct DeadMachine {
    /// ID of the machine.
    pub(crate) id: String,
    /// The facts in its folder.
    pub(crate) info: MachineInfo,
}

/// Facts about a machine, in its folder.
#[derive(Debug, Default, Clone, serde::Serialize, serde::Deserialize)]
pub struct MachineInfo {
    /// The run that created it.
    pub run: String,
    /// Its image and phase, for messages.
    pub purpose: String,
    /// The layers that it uses.
    pub layers: Vec<String>,
    /// Time until which it is kept, with `--keep-on-failure`.
    pub kept: Option<Timestamp>,
}

impl MachineInfo {
    const FILE: &'static str = "machine.json";

    /// Writes the facts to a machine's folder.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(Self::FILE);
        let text = serde_json::to_vec(self).unwrap_or_default();
        let written = whole_file::replace_durably(&path, |to| to.write_all(&text));
        written.map_err(|error| store_error("write", &path, error))
    }

    fn read(folder: &Path) -> Self {
        let text = std::fs::read(folder.join(Self::FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

impl Store {
    /// Moves a machine's folder to the trash. A missing folder is success.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn discard_machine(&self, id: &str) -> Result<Trash> {
        self.discard(&self.machines_folder().join(id))
    }

    /// Deletes an image and the layers that nothing else uses. A missing image is success. The caller holds the lock.
    pub(crate) fn delete(&self, id: &str) -> Result<Trash> {
        let path = self.image_file(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(store_error("delete", &path, error)),
            _ => self.discard_unused_layers(),
        }
    }

    /// Moves layers that no image and no machine uses to the trash: those of deleted images, and of a bake that was
    /// killed before it wrote the image. The caller holds the lock.
    pub(crate) fn discard_unused_layers(&self) -> Result<Trash> {
        let images: Vec<Image> = self.images()?;
        let machines = self.machine_folders().into_iter().flat_map(|folder| MachineInfo::read(&folder).layers);
        let used: BTreeSet<String> = images.into_iter().flat_map(|image| image.layers).chain(machines).collect();
        let mut trash = Trash::default();
        for path in entries(&self.layers_folder()) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            // Unpacked tarballs and disks of sources are a cache, kept for [`CACHE_TIME`].
            let cached = [TARBALL_LAYER, DISK_LAYER].iter().any(|prefix| name.starts_with(prefix)) && is_recent(&path);
            if !cached && !used.contains(&name) {
                trash.append(self.discard(&path)?);
            }
        }
        Ok(trash)
    }

    /// Machines whose process has ended, except kept ones.
    pub(crate) fn dead_machines(&self, now: Timestamp) -> Vec<DeadMachine> {
        let abandoned = self.machine_folders().into_iter().filter(|path| MachineFolder::is_abandoned(path));
        abandoned
            .filter_map(|path| {
                let info = MachineInfo::read(&path);
                let kept = info.kept.is_some_and(|until| until > now);
                (!kept).then(|| Some(DeadMachine { id: path.file_name()?.to_str()?.to_owned(), info }))?
            })
            .collect()
    }

    /// True when a running process holds the machine.
    pub fn is_held(&self, id: &str) -> bool {
        let path = self.machines_folder().join(id);
        path.is_dir() && !MachineFolder::is_abandoned(&path)
    }

    /// The trash that earlier processes left.
    pub(crate) fn old_trash(&self) -> Trash {
        Trash(entries(&self.trash_folder()))
    }

    fn machine_folders(&self) -> Vec<PathBuf> {
        entries(&self.machines_folder())
    }

    fn discard(&self, path: &Path) -> Result<Trash> {
        let to = self.trash_folder().join(new_id("old"));
        match std::fs::rename(path, &to) {
            Ok(()) => Ok(Trash(vec![to])),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Trash::default()),
            Err(error) => Err(store_error("remove", path, error)),
        }
    }
}

/// Time for which the layer of a source is kept for the next bake.
const CACHE_TIME: std::time::Duration = std::time::Duration::from_hours(24);

fn is_recent(path: &Path) -> bool {
    // The change time is the time of the move to the trash; the modification time is that of the tarball's root.
    use std::os::unix::fs::MetadataExt;
    let Ok(changed) = std::fs::metadata(path).map(|data| data.ctime()) else { return false };
    let now = Timestamp::now().as_second();
    now.saturating_sub(changed) < i64::try_from(CACHE_TIME.as_secs()).unwrap_or(i64::MAX)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
