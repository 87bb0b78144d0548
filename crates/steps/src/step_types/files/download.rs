//! The step type `download`.

use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{DownloadStep, Exclude, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use tokio::runtime::Handle;

use super::unpack::{TargetFolder, unpack};
use super::upload::too_slow;
use crate::local::{BlockingReader, blocking};
use crate::shell::ask;
use crate::step_type::StepType;

/// Between the connection and the disk.
const BUFFER: usize = 512 << 10;

#[async_trait]
impl StepType for DownloadStep {
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, _: &mut dyn OutputSink) -> Result<()> {
        download(run, on, step, self).await
    }
}

/// Fetches a file or a folder, by the same rules as an upload.
///
/// # Errors
/// When the path isn't there, something in it leads out of the folder, or it can't be written.
async fn download(run: &Run, on: &ConnectedMachine<'_>, step: &Step, download: &DownloadStep) -> Result<()> {
    let name = &step.name;
    if !download.from.starts_with('/') || download.from.trim_matches('/').is_empty() {
        let message = format!("step `{name}`: `{}` is not an absolute path of a file or folder", download.from);
        return Err(Error::manifest(message).at(step.route.key("download")));
    }
    let exclude = Exclude::new(&download.exclude)
        .map_err(|error| Error::manifest(format!("step `{name}`: {error}")).at(step.route.key("exclude")))?;
    let from = download.from.trim_end_matches('/');
    let script =
        format!("if [ -d {0} ]; then echo folder; elif [ -e {0} ]; then echo file; else echo none; fi", quote(from));
    let kind = ask(run, on, &format!("step `{name}`: look at `{from}`"), &script).await?.text("look at the path")?;
    if kind.trim() == "none" {
        return Err(Error::build(format!("step `{name}`: `{from}` not found on the machine"))
            .help("An earlier step has to create it; check the path.")
            .at(step.route.key("download")));
    }
    let file_name = PathBuf::from(from.rsplit('/').next().unwrap_or_default());
    let folder = kind.trim() == "folder";
    let contents = download.from.ends_with('/');
    let into = download.to.as_os_str().as_bytes().ends_with(b"/") || download.to.is_dir();
    let root = if folder && !contents { download.to.join(&file_name) } else { download.to.clone() };
    let place = TargetFolder { root, name: file_name, exclude, into: !folder && into };

    let (mut writer, reader) = tokio::io::duplex(BUFFER);
    let reader = BlockingReader { stream: reader, runtime: Handle::current() };
    let unpacking = blocking(move || {
        let mut reader = reader;
        let unpacked = unpack(&place, &mut reader);
        if unpacked.is_ok() {
            // The rest of the archive, its padding, must be taken too, or the machine's end sees a broken pipe.
            let _ = std::io::copy(&mut reader, &mut std::io::sink());
        }
        unpacked
    });
    let fetch = async {
        let got = on.communicator.get(from, Box::new(&mut writer)).await;
        drop(writer);
        got
    };
    let both = async { tokio::join!(fetch, unpacking) };
    let (got, unpacked) = match step.timeout {
        None => run.until_cancelled(both).await?,
        Some(limit) => tokio::select! {
            both = run.until_cancelled(both) => both?,
            () = run.clock().sleep(limit) => return Err(too_slow(step, limit)),
        },
    };
    let failed = |cause: Error| {
        Error::build(format!("step `{name}`: download `{from}` from the machine to `{}`", download.to.display()))
            .because(cause)
            .at(step.route.clone())
    };
    match (unpacked?, got) {
        (Ok(count), Ok(())) => {
            run.progress(format!(
                "Downloaded {count} {} to {}",
                if count == 1 { "file" } else { "files" },
                download.to.display()
            ));
            Ok(())
        }
        (Err(error), _) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(Error::build(format!("step `{name}`: {error}"))
                .help("List it under `exclude`.")
                .at(step.route.key("download")))
        }
        // An archive that ends early is the machine's end's failure; any other is ours, and theirs follows from it.
        (Ok(_), Err(error)) => Err(failed(error)),
        (Err(local), Err(error)) if local.kind() == std::io::ErrorKind::UnexpectedEof || is_cut(&local) => {
            Err(failed(error))
        }
        (Err(error), _) => Err(failed(Error::build(error.to_string()))),
    }
}

/// The library's error for an archive that ends within a header.
fn is_cut(error: &std::io::Error) -> bool {
    error.to_string().contains("failed to read entire block")
}
