//! Disk images: what they are, overlays, conversions. All by `qemu-img`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use ami_bake_core::output::sanitize;
use ami_bake_core::{Error, Result};
use serde_json::Value;
use tokio::process::Command;

use crate::host::qemu_img;

/// Facts about a disk image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiskInfo {
    /// Format: `qcow2`, `raw` …
    pub(crate) format: String,
    /// Size that a guest sees, in bytes.
    pub(crate) size: u64,
    /// Another file that the image reads from.
    pub(crate) depends_on: Option<String>,
}

/// Runs `qemu-img`, and returns its standard output. `doing` begins the error: "could not …".
///
/// # Errors
/// When it is not installed, or fails: its own message is the cause.
pub(crate) async fn run<I, A>(doing: &str, folder: &Path, arguments: I) -> Result<String>
where
    I: IntoIterator<Item = A>,
    A: AsRef<OsStr>,
{
    let mut command = Command::new(qemu_img()?);
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let failed = |why: String| Error::build(format!("could not {doing}: {why}"));
    let output = command.output().await.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().next().map_or_else(|| format!("qemu-img ended with {}", output.status), sanitize);
    let line = line.trim_start_matches("qemu-img: ").to_owned();
    let error = failed(line.clone());
    Err(if line.contains("No space left") {
        error.help("Free space on the disk with the image store, or set another folder with --store.")
    } else {
        error
    })
}

/// Facts about a disk image.
///
/// # Errors
/// When it can't be read.
pub(crate) async fn info(disk: &Path) -> Result<DiskInfo> {
    let doing = format!("read the disk image {}", disk.display());
    // Locked when a machine uses it; nothing is written here.
    let text =
        run(&doing, Path::new("/"), [OsStr::new("info"), "-U".as_ref(), "--output=json".as_ref(), disk.as_ref()]);
    let facts: Value = serde_json::from_str(&text.await?)
        .map_err(|error| Error::internal(format!("could not {doing}")).because(error))?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(DiskInfo {
        format: text(&facts["format"]).unwrap_or_default(),
        size: facts["virtual-size"].as_u64().unwrap_or_default(),
        depends_on: text(&facts["backing-filename"])
            .or_else(|| text(&facts["format-specific"]["data"]["data-file"]))
            .or_else(|| facts["format-specific"]["data"]["extents"][1].is_object().then(|| "further files".to_owned())),
    })
}

/// Creates a disk in `folder` that reads from `base` what it does not have itself. A path of `base` that is relative
/// counts from the folder. `size` in GiB enlarges it.
///
/// # Errors
/// When it can't be created, or would be smaller than its base.
pub(crate) async fn overlay(folder: &Path, name: &str, base: &str, size: Option<u32>) -> Result<()> {
    let mut words = vec!["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, name];
    let gib = size.map(|size| format!("{size}G"));
    words.extend(gib.as_deref());
    run("create the machine's disk", folder, words).await.map(drop)
}

/// Converts a disk image into a new file.
///
/// # Errors
/// When it can't be read or written.
pub(crate) async fn convert(from: &Path, format: &str, to: &Path, options: &[&str]) -> Result<()> {
    let doing = format!("convert the disk image {}", from.display());
    let mut words: Vec<&OsStr> = ["convert", "-U", "-f"].iter().map(OsStr::new).collect();
    words.push(OsStr::new(format));
    words.extend(options.iter().map(OsStr::new));
    words.extend([from.as_os_str(), to.as_os_str()]);
    run(&doing, Path::new("/"), words).await.map(drop)
}
