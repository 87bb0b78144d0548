//! Exports an image to a file or folder, whole or not at all.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ami_bake_core::{Error, ErrorKind, Result, Run, whole_file};

use super::disk;
use super::format::Format;
use super::host::Host;
use super::plan::{ExportPlan, ImageFacts};
use super::tree::Layer;
use crate::sandbox::{FileTask, Helper, mount_points};
use crate::store::{Base, Image, MachineInfo, Store, find_image, new_id, store_error};
use crate::{secrets, source};

/// An exported image.
#[derive(Debug)]
pub struct Exported {
    /// The image.
    pub image: Image,
    /// Format of the export.
    pub format: Format,
    /// Size on the disk in bytes.
    pub size: u64,
}

impl Exported {
    /// True when the export contains this machine's own system.
    pub fn holds_host(&self) -> bool {
        matches!(self.image.base, Base::Host { .. })
    }
}

/// Writes an image to the file or folder `to`, whole or not at all. `image` is an id, `NAME/IMAGE/VERSION` or
/// `[NAME/]IMAGE[@RANGE]`.
///
/// # Errors
/// When there is no such image, `to` exists, a layer is missing, or the export can't be written.
pub(crate) async fn export(
    store: &Store,
    helper: &Helper,
    run: &Run,
    image: &str,
    to: &Path,
    format: Format,
) -> Result<Exported> {
    let image = find_image(&store.images()?, image)?;
    let to = target(to)?;
    if format == Format::Disk {
        disk::program()?;
    }
    if matches!(image.base, Base::Host { .. }) && !rustix::process::geteuid().is_root() {
        return Err(Error::preflight(format!(
            "could not export {}: images of `local: host` can only be exported as root",
            image.name
        ))
        .help("Run the command with sudo."));
    }
    // Registered like a machine, so that its layers are kept, and that the next run cleans up after a killed export.
    let lock = store.lock().await?;
    let stack = source::stack(run, store, &image.source())?;
    let folder = store.new_machine(&new_id("exp"))?;
    let info = MachineInfo {
        run: run.id().to_owned(),
        purpose: format!("export of {}", image.name),
        layers: stack.layers.clone(),
        kept: None,
    };
    info.write(folder.path())?;
    drop(lock);
    let partial = whole_file::draft_name(&to);
    let plan = ExportPlan {
        format,
        layers: layers(&image, &stack, store.root())?,
        to: partial.clone(),
        work: folder.path().join("work"),
        image: ImageFacts {
            name: image.name.clone(),
            version: image.version().map(|version| version.to_string()).unwrap_or_default(),
            created: image.created,
            architecture: image.architecture,
            tags: image.tags.clone(),
        },
    };
    let written = match write(helper, run, &plan, folder.path()).await {
        Ok(()) => whole_file::rename_new(&partial, &to).map_err(|error| {
            Error::new(ErrorKind::Publish, format!("could not write {}", to.display())).because(error)
        }),
        Err(error) => Err(error),
    };
    if written.is_err() && partial.exists() {
        // The error of the export is reported; an error here would hide it.
        let _ = helper.files(&FileTask::Remove { paths: vec![partial] }).await;
    }
    let id = folder.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    drop(folder);
    store.discard_machine(&id)?.remove(helper);
    written.map(|()| Exported { image, format, size: size(&to) })
}

/// Runs the process that writes the export.
async fn write(helper: &Helper, run: &Run, plan: &ExportPlan, folder: &Path) -> Result<()> {
    std::fs::create_dir(&plan.work).map_err(|error| store_error("create", &plan.work, error))?;
    let path = folder.join("export.json");
    let text = serde_json::to_vec(plan)
        .map_err(|error| Error::internal("could not write the plan of an export").because(error))?;
    whole_file::replace(&path, |to| to.write_all(&text)).map_err(|error| store_error("write", &path, error))?;
    let done = run.until_cancelled(helper.export(&path)).await?;
    done.map_err(|error| error.into_kind(ErrorKind::Publish))
}

/// The layers, top first, with the visible part of the host.
fn layers(image: &Image, stack: &source::Stack, store: &Path) -> Result<Vec<Layer>> {
    let mut layers: Vec<Layer> = stack.lower.iter().map(|path| Layer { path: path.clone(), host: None }).collect();
    if let (Base::Host { .. }, Some(lowest)) = (&image.base, layers.last_mut()) {
        let secrets = secrets::of_host(&[store])?;
        lowest.host = Some(Host::new(secrets, mount_points()?));
    }
    Ok(layers)
}

/// The absolute path of an export's file or folder, which must not exist.
///
/// # Errors
/// When it exists, or the folder around it does not.
pub fn target(to: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(to)
        .map_err(|error| Error::usage(format!("could not export to {}", to.display())).because(error))?;
    if std::fs::symlink_metadata(&path).is_ok() {
        return Err(Error::usage(format!("could not export: {} already exists", to.display()))
            .help("Delete it or choose another name; an export never overwrites a file."));
    }
    match path.parent() {
        Some(folder) if folder.is_dir() => Ok(path),
        _ => Err(Error::usage(format!("could not export to {}: the folder does not exist", to.display()))
            .help("Create the folder first.")),
    }
}

/// The size of a file or folder on the disk, in bytes.
fn size(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return 0 };
    let inside = || std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum();
    if metadata.is_dir() { inside() } else { metadata.blocks() * 512 }
}
