//! Exports an image to a file, whole or not at all.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ami_bake_core::{Error, ErrorKind, Result, Run, whole_file};
use ami_bake_local::{Image, Images, MachineInfo, export_target, find_image, new_id};

use super::format::Format;
use super::vagrant;
use crate::machine::{FIRMWARE, USER};
use crate::qemu::{DISK, convert, info};

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

/// Writes an image to the file `to`. `image` is an ID, `NAME/IMAGE/VERSION` or `[NAME/]IMAGE[@RANGE]`.
///
/// # Errors
/// When there is no such image, `to` exists, or it can't be written.
pub(crate) async fn export(images: &Images, run: &Run, image: &str, to: &Path, format: Format) -> Result<Exported> {
    let store = images.store();
    let image = find_image(&store.images()?, image)?;
    let to = export_target(to)?;
    // Registered like a machine, so that its layers are kept, and that the next run cleans up after a killed export.
    let lock = store.lock().await?;
    let folder = store.new_machine(&new_id("exp"))?;
    let info = MachineInfo {
        run: run.id().to_owned(),
        purpose: format!("export of {}", image.name),
        layers: image.layers.clone(),
        kept: None,
    };
    info.write(folder.path())?;
    drop(lock);
    let partial = whole_file::draft_name(&to);
    let top = image.layers.first().map_or("", String::as_str);
    let disk = store.layer(top).join(DISK);
    let written = match run.until_cancelled(write(&image, &disk, folder.path(), &partial, format)).await {
        Ok(Ok(())) => whole_file::rename_new(&partial, &to).map_err(|error| {
            Error::new(ErrorKind::Publish, format!("could not write {}", to.display())).because(error)
        }),
        Ok(Err(error)) => Err(error.into_kind(ErrorKind::Publish)),
        Err(cancelled) => Err(cancelled),
    };
    if written.is_err() {
        // The error of the export is reported; an error here would hide it.
        let _ = std::fs::remove_file(&partial);
    }
    let id = folder.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    drop(folder);
    images.discard_machine(&id)?;
    let size = std::fs::metadata(&to).map_or(0, |data| data.blocks() * 512);
    written.map(|()| Exported { image, format, size })
}

async fn write(image: &Image, disk: &Path, work: &Path, to: &Path, format: Format) -> Result<()> {
    let options: &[&str] = match format {
        Format::Qcow2 => &["-O", "qcow2", "-c"],
        Format::Raw => &["-O", "raw"],
        Format::Vmdk => &["-O", "vmdk", "-o", "subformat=streamOptimized"],
        // Of exactly the disk's size, which Azure wants, and not rounded to a geometry.
        Format::Vhd => &["-O", "vpc", "-o", "subformat=fixed,force_size=on"],
        Format::VagrantLibvirt | Format::VagrantVirtualbox => {
            let facts = info(disk).await?;
            let tag = |name: &str| image.tags.get(name).map(String::as_str);
            let contents = vagrant::BoxFacts {
                name: &image.name,
                user: tag(USER),
                uefi: tag(FIRMWARE) == Some("uefi"),
                size: facts.size,
            };
            return vagrant::write(&contents, disk, work, to, format).await;
        }
    };
    convert(disk, "qcow2", to, options).await
}
