//! Copies the disk of a source into the store, each once, as a layer named by its checksum: decompressed, and as qcow2.
//! A file that somebody changes later would break every image that was baked on it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ami_bake_core::plan::SourceImage;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use ami_bake_local::{DISK_LAYER, Store, store_error};
use tokio::process::Command;

use super::download::download;
use super::find::{is_url, sha256, wrong_checksum};
use crate::host::{decompressor, find};
use crate::qemu::{DISK, convert, info, run_qemu_img};

/// IDs of the layers that a machine of this source needs, top first.
///
/// # Errors
/// When the image is not in the store.
pub(crate) fn layers(store: &Store, source: &SourceImage) -> Result<Vec<String>> {
    if source.id.starts_with(DISK_LAYER) { Ok(vec![source.id.clone()]) } else { Ok(store.image(&source.id)?.layers) }
}

/// Makes the disk of a source a layer of the store, if it is not yet; does nothing for an image of the store.
///
/// # Errors
/// When it can't be downloaded or read, has another checksum, or is not a disk that can boot.
pub(crate) async fn provide(run: &Run, store: &Store, source: &SourceImage) -> Result<()> {
    let Some(sum) = source.id.strip_prefix(DISK_LAYER) else { return Ok(()) };
    let layer = store.layer(&source.id);
    if layer.is_dir() {
        return Ok(());
    }
    // In the trash folder until it is complete, so that the remains of a killed process are removed.
    let partial = Partial(store.trash_folder().join(format!("disk-{}", uuid::Uuid::new_v4().simple())));
    std::fs::create_dir(&partial.0).map_err(|error| store_error("create the folder", &partial.0, error))?;
    let imported = run.until_cancelled(import(run, source, sum, &partial.0)).await?;
    imported.map_err(|error| error.into_kind(ErrorKind::Preflight))?;
    match std::fs::rename(partial.0.join("layer"), &layer) {
        // Another process imported the same disk meanwhile.
        Err(_) if layer.is_dir() => Ok(()),
        other => other.map_err(|error| store_error("create the layer", &layer, error)),
    }
}

/// A folder that is removed when the import ends.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // What can't be removed is left to the next run.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn import(run: &Run, source: &SourceImage, sum: &str, folder: &Path) -> Result<()> {
    let mut file = PathBuf::from(&source.name);
    if is_url(&source.name) {
        file = folder.join("download");
        download(run, &source.name, sum, &file).await?;
    } else {
        let now = sha256(&file).await?;
        if now != sum {
            return Err(wrong_checksum(&source.name, sum, &now));
        }
    }
    let head = head(&file)?;
    if let Some(program) = decompressor(&head) {
        run.progress(format!("Decompressing {} with {}", source.name, program.name));
        let plain = folder.join("disk");
        decompress(&find(program)?, &file, &plain, &source.name).await?;
        file = plain;
    }
    let facts = info(&file).await?;
    let name = &source.name;
    if !matches!(facts.format.as_str(), "qcow2" | "raw") {
        return Err(Error::preflight(format!("could not use {name}: its format is {}", facts.format))
            .help(format!("Convert it first: qemu-img convert -O qcow2 {name} disk.qcow2")));
    }
    // A disk from somewhere else must not make QEMU read other files of this computer.
    if let Some(other) = &facts.depends_on {
        return Err(Error::preflight(format!("could not use {name}: it refers to another file, {other}"))
            .help(format!("Make it complete first: qemu-img convert -O qcow2 {name} disk.qcow2")));
    }
    let layer = folder.join("layer");
    std::fs::create_dir(&layer).map_err(|error| store_error("create the folder", &layer, error))?;
    let disk = layer.join(DISK);
    run.progress(format!("Importing {name}"));
    convert(&file, &facts.format, &disk, &["-O", "qcow2"]).await?;
    if !boots(&disk, folder).await? {
        return Err(Error::preflight(format!(
            "{name} is not a valid disk image: it has no partition table or boot sector"
        ))
        .help("Use an image that a virtual machine can boot, such as the cloud images that distributions publish."));
    }
    Ok(())
}

/// The first bytes of a file.
fn head(file: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let read = File::open(file).and_then(|file| file.take(16).read_to_end(&mut head));
    read.map_err(|error| Error::preflight(format!("could not read {}", file.display())).because(error))?;
    Ok(head)
}

async fn decompress(program: &Path, from: &Path, to: &Path, name: &str) -> Result<()> {
    let open = |file: std::io::Result<File>, path: &Path| file.map_err(|error| store_error("open", path, error));
    let failed = |error| Error::preflight(format!("could not run {}", program.display())).because(error);
    let child = Command::new(program)
        .arg("-dc")
        .env_clear()
        .stdin(open(File::open(from), from)?)
        .stdout(open(File::create_new(to), to)?)
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    // Not `output`, which would read the disk into memory.
    let output = child.wait_with_output().await.map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let why = text.lines().last().map(ami_bake_core::output::sanitize).unwrap_or_default();
    Err(Error::preflight(format!("could not decompress {name}: {why}"))
        .help("The file may be incomplete: download it again."))
}

/// Whether a disk begins with a boot sector (its last bytes are 55 AA), which a GPT has, too.
async fn boots(disk: &Path, folder: &Path) -> Result<bool> {
    let sector = folder.join("sector");
    let (from, to) = (format!("if={}", disk.display()), format!("of={}", sector.display()));
    let words = ["dd", "-f", "qcow2", "-O", "raw", "bs=512", "count=1", &from, &to];
    run_qemu_img("read the first sector", Path::new("/"), words).await?;
    let bytes = std::fs::read(&sector).map_err(|error| store_error("read", &sector, error))?;
    Ok(bytes.get(510..512) == Some(&[0x55, 0xaa]))
}
