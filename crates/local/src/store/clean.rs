//! What nobody needs any more, and how it goes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ami_bake_core::Result;
use jiff::Timestamp;

use super::folder::{MachineFolder, exists_error};
use super::image::new_id;
use super::{Image, Store};

/// Things that were moved away and are still to be removed from the disk.
#[derive(Debug, Default)]
#[must_use = "what is in the trash takes room until it is removed"]
pub(crate) struct Trash(pub(crate) Vec<PathBuf>);

/// A machine that nobody holds any more.
#[derive(Debug)]
pub(crate) struct Dead {
    /// Its id.
    pub(crate) id: String,
    /// What it said about itself.
    pub(crate) about: About,
}

/// What a machine's folder says about it.
#[derive(Debug, Default, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct About {
    /// The run that made it.
    pub(crate) run: String,
    /// The image that it was for, and the phase.
    pub(crate) purpose: String,
    /// The layers that it stands on.
    pub(crate) layers: Vec<String>,
    /// Where a person asked to keep it: until when.
    pub(crate) kept: Option<Timestamp>,
}

impl About {
    const FILE: &'static str = "machine.json";

    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(Self::FILE);
        let text = serde_json::to_vec(self).unwrap_or_default();
        super::folder::write_whole(&path, &text).map_err(|error| exists_error("write", &path, error))
    }

    fn read(folder: &Path) -> Self {
        let text = std::fs::read(folder.join(Self::FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

impl Store {
    /// Takes a machine's folder out of sight, in one step. Not being there is success.
    pub(crate) fn discard_machine(&self, id: &str) -> Result<Trash> {
        self.discard(&self.machines_folder().join(id))
    }

    /// Deletes an image and the layers that nothing else needs. Not being there is success. The caller holds the lock.
    pub(crate) fn delete(&self, id: &str) -> Result<Trash> {
        let path = self.image_file(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(exists_error("delete", &path, error)),
            _ => self.discard_unused_layers(),
        }
    }

    /// Takes away every layer that no image and no machine stands on: of deleted images, and of a bake that was killed
    /// between layer and image. The caller holds the lock.
    pub(crate) fn discard_unused_layers(&self) -> Result<Trash> {
        let images: Vec<Image> = self.images()?;
        let machines = self.machine_folders().into_iter().flat_map(|folder| About::read(&folder).layers);
        let used: BTreeSet<String> = images.into_iter().flat_map(|image| image.layers).chain(machines).collect();
        let mut trash = Trash::default();
        for path in entries(&self.layers_folder()) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            // Unpacked tarballs are a cache: they stay until they are old.
            let cached = name.starts_with(crate::source::TARBALL_LAYER) && is_young(&path);
            if !cached && !used.contains(&name) {
                trash.0.append(&mut self.discard(&path)?.0);
            }
        }
        Ok(trash)
    }

    /// Machines whose process is gone, but for those that a person keeps.
    pub(crate) fn dead_machines(&self, now: Timestamp) -> Vec<Dead> {
        let abandoned = self.machine_folders().into_iter().filter(|path| MachineFolder::is_abandoned(path));
        abandoned
            .filter_map(|path| {
                let about = About::read(&path);
                let kept = about.kept.is_some_and(|until| until > now);
                (!kept).then(|| Some(Dead { id: path.file_name()?.to_str()?.to_owned(), about }))?
            })
            .collect()
    }

    /// True when a living process holds the machine.
    pub(crate) fn is_held(&self, id: &str) -> bool {
        let path = self.machines_folder().join(id);
        path.is_dir() && !MachineFolder::is_abandoned(&path)
    }

    /// What an earlier process could not remove to its end.
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
            Err(error) => Err(exists_error("remove", path, error)),
        }
    }
}

/// A day, in which the next bake may want the same tarball.
const YOUNG: std::time::Duration = std::time::Duration::from_hours(24);

fn is_young(path: &Path) -> bool {
    // The change time is when it was moved here: its own time is the tarball's.
    use std::os::unix::fs::MetadataExt;
    let Ok(changed) = std::fs::metadata(path).map(|data| data.ctime()) else { return false };
    let now = Timestamp::now().as_second();
    now.saturating_sub(changed) < i64::try_from(YOUNG.as_secs()).unwrap_or(i64::MAX)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
