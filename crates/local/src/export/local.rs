//! The export as the command line asks for it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ami_bake_core::{Error, ErrorKind, Result, Run};

use super::carry_out::{About, Plan};
use super::host::Host;
use super::tree::Layer;
use super::{Format, disk, find};
use crate::platform::Local;
use crate::sandbox::{Work, mount_points};
use crate::store::{self, Base, Image, exists_error, new_id};
use crate::{secrets, source};

/// What was exported.
#[derive(Debug)]
pub struct Exported {
    /// The image.
    pub image: Image,
    /// As what.
    pub format: Format,
    /// How much room it takes on the disk, in bytes.
    pub size: u64,
}

impl Exported {
    /// True when this machine's own system is below the image's layers.
    pub fn holds_host(&self) -> bool {
        matches!(self.image.base, Base::Host { .. })
    }
}

impl Local {
    /// Writes an image to the file or folder `to`, whole or not at all. `image` is an id, `NAME/IMAGE/VERSION` or
    /// `[NAME/]IMAGE[@RANGE]`.
    ///
    /// # Errors
    /// When there is no such image, something is at `to`, a layer is gone, or it can't be written.
    pub async fn export(&self, run: &Run, image: &str, to: &Path, format: Format) -> Result<Exported> {
        let image = find::find(&self.store.images()?, image)?;
        let to = target(to)?;
        if format == Format::Disk {
            disk::program()?;
        }
        if matches!(image.base, Base::Host { .. }) && !rustix::process::geteuid().is_root() {
            return Err(Error::preflight(format!(
                "export {}, which lies over this system, without being root",
                image.name
            ))
            .help("Run it with sudo."));
        }
        // Like a machine: nobody takes the layers away, and what a killed export leaves goes with the next run.
        let lock = self.store.lock().await?;
        let stack = source::stack(run, &self.store, &image.source())?;
        let folder = self.store.new_machine(&new_id("exp"))?;
        let about = store::About {
            run: run.id().to_owned(),
            purpose: format!("export of {}", image.name),
            layers: stack.layers.clone(),
            kept: None,
        };
        about.write(folder.path())?;
        drop(lock);
        let partial = partial(&to);
        let written = self.write(run, &image, &stack, folder.path(), &partial, format).await;
        let written = match written {
            Ok(()) => std::fs::rename(&partial, &to)
                .map_err(|error| Error::new(ErrorKind::Publish, format!("write {}", to.display())).because(error)),
            Err(error) => Err(error),
        };
        if written.is_err() && partial.exists() {
            // What it failed of is worth more than what may fail here.
            let _ = self.helper.files(&Work::Remove { paths: vec![partial] }).await;
        }
        let id = folder.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        drop(folder);
        self.helper.empty(self.store.discard_machine(&id)?);
        written.map(|()| Exported { image, format, size: size(&to) })
    }

    async fn write(
        &self,
        run: &Run,
        image: &Image,
        stack: &source::Stack,
        folder: &Path,
        to: &Path,
        format: Format,
    ) -> Result<()> {
        let plan = Plan {
            format,
            layers: layers(image, stack, self.store.root())?,
            to: to.to_owned(),
            work: folder.join("work"),
            about: About {
                name: image.name.clone(),
                version: image.version().map(|version| version.to_string()).unwrap_or_default(),
                created: image.created,
                architecture: image.architecture,
                tags: image.tags.clone(),
            },
        };
        std::fs::create_dir(&plan.work).map_err(|error| exists_error("make", &plan.work, error))?;
        let path = folder.join("export.json");
        let text = serde_json::to_vec(&plan).map_err(|error| Error::internal("describe an export").because(error))?;
        std::fs::write(&path, text).map_err(|error| exists_error("write", &path, error))?;
        let done = run.until_cancelled(self.helper.files(&Work::Export { plan: path })).await?;
        done.map_err(|error| error.into_kind(ErrorKind::Publish))
    }
}

/// The layers, top first, with what may be seen of the host.
fn layers(image: &Image, stack: &source::Stack, store: &Path) -> Result<Vec<Layer>> {
    let mut layers: Vec<Layer> = stack.lower.iter().map(|path| Layer { path: path.clone(), host: None }).collect();
    if let (Base::Host { .. }, Some(lowest)) = (&image.base, layers.last_mut()) {
        let secrets = secrets::of_host(&[store])?;
        lowest.host = Some(Host::new(secrets, mount_points()?));
    }
    Ok(layers)
}

/// The absolute path, where nothing is yet.
fn target(to: &Path) -> Result<PathBuf> {
    let path =
        std::path::absolute(to).map_err(|error| Error::usage(format!("find {}", to.display())).because(error))?;
    if std::fs::symlink_metadata(&path).is_ok() {
        return Err(Error::usage(format!("export to {}: something is there already", to.display()))
            .help("Take it away or give another name; an export overwrites nothing."));
    }
    match path.parent() {
        Some(folder) if folder.is_dir() => Ok(path),
        _ => {
            Err(Error::usage(format!("export to {}: its folder is not there", to.display()))
                .help("Make the folder first."))
        }
    }
}

/// Beside the target, so that it can take its place in one step.
fn partial(to: &Path) -> PathBuf {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    to.with_file_name(name)
}

/// The room that a file or folder takes on the disk.
fn size(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return 0 };
    let inside = || std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum();
    if metadata.is_dir() { inside() } else { metadata.blocks() * 512 }
}
