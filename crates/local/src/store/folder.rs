//! The folders of the store, and their locks.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ami_bake_core::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// An image store on this machine's disk.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// The default store: `ami-bake/store` in the XDG state directory (XDG Base Directory Specification 0.8).
///
/// # Errors
/// When neither `XDG_STATE_HOME` nor `HOME` is set.
pub fn default_store() -> Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    from("XDG_STATE_HOME")
        .or_else(|| Some(from("HOME")?.join(".local/state")))
        .map(|state| state.join("ami-bake/store"))
        .ok_or_else(|| {
            Error::preflight("could not find the image store: neither HOME nor XDG_STATE_HOME is set")
                .help("Set a folder with --store.")
        })
}

/// The error for a file or folder of the store.
pub fn store_error(what: &str, path: &Path, error: impl Into<std::io::Error>) -> Error {
    Error::build(format!("could not {what} {}", path.display()))
        .help("Check that the image store is writable and has free space, or set another folder with --store.")
        .because(error.into())
}

impl Store {
    /// Opens the store in `root`, creating it if it is missing.
    ///
    /// # Errors
    /// When its folders can't be created.
    pub fn open(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).map_err(|error| store_error("open the store", root, error))?;
        for name in ["images", "layers", "machines", "trash"] {
            let path = root.join(name);
            // Private, because images may contain secrets of steps, and set-user-id programs of root.
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|error| store_error("create the folder", &path, error))?;
        }
        Ok(Self { root })
    }

    /// Folder of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn images_folder(&self) -> PathBuf {
        self.root.join("images")
    }

    pub(crate) fn image_file(&self, id: &str) -> PathBuf {
        self.root.join("images").join(format!("{id}.json"))
    }

    pub(crate) fn layers_folder(&self) -> PathBuf {
        self.root.join("layers")
    }

    /// The folder with a layer's files.
    pub fn layer(&self, id: &str) -> PathBuf {
        self.root.join("layers").join(id)
    }

    pub(crate) fn machines_folder(&self) -> PathBuf {
        self.root.join("machines")
    }

    /// Folder for files that are not complete, or that are being removed.
    pub fn trash_folder(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// Locks images and layers against changes by other processes until the returned file is closed. Hold it only
    /// briefly.
    ///
    /// # Errors
    /// When the lock file can't be opened.
    pub async fn lock(&self) -> Result<File> {
        let path = self.root.join("store.lock");
        let lock = tokio::task::spawn_blocking(move || {
            let file = lock_file(&path)?;
            flock(&file, FlockOperation::LockExclusive).map_err(|error| store_error("lock", &path, error))?;
            Ok(file)
        });
        lock.await.map_err(|error| Error::internal("could not wait for the store's lock").because(error))?
    }

    /// Creates a machine's folder and locks it for this process.
    ///
    /// # Errors
    /// When it can't be created.
    pub fn new_machine(&self, id: &str) -> Result<MachineFolder> {
        let path = self.machines_folder().join(id);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| store_error("create the machine folder", &path, error))?;
        let lock = lock_file(&path.join(OWNER_LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| store_error("lock the machine folder", &path, error))?;
        Ok(MachineFolder { path, _lock: lock })
    }
}

const OWNER_LOCK: &str = "owner.lock";

fn lock_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|error| store_error("open", path, error))
}

/// A machine's folder. The kernel releases the lock when this process ends for any reason, which distinguishes an
/// orphan from a machine in use.
#[derive(Debug)]
pub struct MachineFolder {
    path: PathBuf,
    _lock: File,
}

impl MachineFolder {
    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn upper(&self) -> PathBuf {
        self.path.join("upper")
    }

    /// True when no process holds the machine in `path`.
    pub(crate) fn is_abandoned(path: &Path) -> bool {
        let Ok(file) = File::open(path.join(OWNER_LOCK)) else {
            // Either it is being created, or its process ended before it locked it: the age decides.
            let age =
                std::fs::metadata(path).and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
            return age.is_some_and(|age| age.as_secs() > 60);
        };
        !matches!(flock(&file, FlockOperation::NonBlockingLockExclusive), Err(Errno::WOULDBLOCK))
    }
}
