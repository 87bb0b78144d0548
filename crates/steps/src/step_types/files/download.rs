//! The step type `download`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ami_bake_core::archive::{ArchiveError, ArchiveLimits, Root, Unpack, Unpacked};
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{DownloadStep, Exclude, Step};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use tokio::runtime::Handle;

use super::upload::too_slow;
use crate::local::{BlockingReader, blocking};
use crate::shell::ask;
use crate::step_type::StepType;

/// Size of the buffer between the connection and the disk.
const BUFFER: usize = 512 << 10;
/// Time limit for deleting what an interrupted download left.
const CLEAN_UP: Duration = Duration::from_secs(2);

#[async_trait]
impl StepType for DownloadStep {
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, _: &mut dyn OutputSink) -> Result<()> {
        download(run, on, step, self).await
    }
}

/// Fetches a file or a folder, by the same rules as an upload. Nothing is moved to its destination before everything
/// has arrived.
///
/// # Errors
/// When the path does not exist, the archive is too large or not the requested one, or it can't be written.
async fn download(run: &Run, on: &ConnectedMachine<'_>, step: &Step, download: &DownloadStep) -> Result<()> {
    let name = &step.name;
    let place = Place::of(run, on, step, download).await?;
    let (mut writer, reader) = tokio::io::duplex(BUFFER);
    let mut reader = BlockingReader { stream: reader, runtime: Handle::current() };
    let fetch = async {
        let got = on.communicator.get(&place.from, Box::new(&mut writer)).await;
        drop(writer);
        got
    };
    let unpacking = {
        let place = place.clone();
        blocking(move || place.unpack(&mut reader))
    };
    tokio::pin!(unpacking);
    let both = async { tokio::join!(fetch, &mut unpacking) };
    let ended = match step.timeout {
        None => run.until_cancelled(both).await,
        Some(limit) => tokio::select! {
            both = run.until_cancelled(both) => both,
            () = run.clock().sleep(limit) => Err(too_slow(step, limit)),
        },
    };
    let (got, unpacked) = match ended {
        Ok(both) => both,
        Err(error) => {
            // The stream has ended with `fetch`: what was unpacked is deleted now, before this process ends.
            let _ = tokio::time::timeout(CLEAN_UP, unpacking).await;
            return Err(error);
        }
    };
    let doing = || {
        format!("step `{name}`: could not download `{}` from the machine to `{}`", download.from, download.to.display())
    };
    let failed = |cause: Error| Error::build(doing()).because(cause).at(step.route.clone());
    let kept = match (unpacked?, got) {
        (Ok(unpacked), Ok(())) => blocking(move || unpacked.keep()).await?,
        // An archive that ends early is a failure of the machine's side; any other failure is ours, and causes the
        // machine's.
        (Ok(_) | Err(ArchiveError::Broken(_)), Err(error)) => return Err(failed(error)),
        (Err(error), _) => Err(error),
    };
    match kept {
        Ok(count) => {
            let files = if count == 1 { "file" } else { "files" };
            run.progress(format!("Downloaded {count} {files} to {}", download.to.display()));
            Ok(())
        }
        Err(error) => Err(match help(&error) {
            Some((key, help)) => Error::build(format!("{}: {error}", doing())).help(help).at(step.route.key(key)),
            None => failed(Error::build(error.to_string())),
        }),
    }
}

/// Help for an archive that was refused, and the key that it concerns.
fn help(error: &ArchiveError) -> Option<(&'static str, &'static str)> {
    match error {
        ArchiveError::Refused(_) => Some((
            "download",
            "A download holds files, folders, and links that stay inside. List anything else under `exclude`.",
        )),
        ArchiveError::Files { .. } => {
            Some(("limits", "Raise `limits: {files: …}` of the step, or download a smaller folder."))
        }
        ArchiveError::Size { .. } => Some((
            "limits",
            "List files that you do not need under `exclude`, or raise `limits: {size: …}` of the step.",
        )),
        ArchiveError::Depth { .. } => Some(("limits", "Raise `limits: {depth: …}` of the step.")),
        ArchiveError::Broken(_) | ArchiveError::Local { .. } => None,
    }
}

/// What is fetched, and its destination.
#[derive(Clone)]
struct Place {
    /// The path on the machine, with a link at its end resolved.
    from: String,
    /// The last component of that path, with which every path of the archive begins.
    archived: OsString,
    /// The destination folder.
    into: PathBuf,
    /// Name in the folder; `None` for the contents of a folder.
    name: Option<OsString>,
    is_folder: bool,
    exclude: Exclude,
    limits: ArchiveLimits,
}

impl Place {
    async fn of(run: &Run, on: &ConnectedMachine<'_>, step: &Step, download: &DownloadStep) -> Result<Self> {
        let name = &step.name;
        let from = download.from.trim_end_matches('/');
        let last = from.rsplit('/').next().unwrap_or_default();
        if !from.starts_with('/') || matches!(last, "" | "." | "..") {
            let message = format!("step `{name}`: `{}` is not an absolute path of a file or folder", download.from);
            return Err(Error::manifest(message).at(step.route.key("download")));
        }
        let exclude = Exclude::new(&download.exclude)
            .map_err(|error| Error::manifest(format!("step `{name}`: {error}")).at(step.route.key("exclude")))?;
        // As with `scp`, the named path may be a link, whose target is fetched.
        let script = format!(
            "p={}; if [ -h \"$p\" ]; then r=$(readlink -f \"$p\") && [ -n \"$r\" ] && p=$r; fi; \
             if [ -d \"$p\" ]; then k=folder; elif [ -e \"$p\" ]; then k=file; else k=none; fi; printf '%s\\n%s' \"$k\" \"$p\"",
            quote(from)
        );
        let said = ask(run, on, &format!("inspect `{from}` for the step `{name}`"), &script)
            .await?
            .text("inspect the path")?;
        let (kind, real) = said.split_once('\n').unwrap_or((said.trim(), from));
        if kind == "none" {
            return Err(Error::build(format!("step `{name}`: `{from}` not found on the machine"))
                .help("An earlier step has to create it; check the path.")
                .at(step.route.key("download")));
        }
        let real = if real.starts_with('/') && !real.ends_with('/') { real } else { from };
        let is_folder = kind == "folder";
        let named = OsString::from(last);
        let to = &download.to;
        let (into, name) = match is_folder {
            true if download.from.ends_with('/') => (to.clone(), None),
            true => (to.clone(), Some(named)),
            false if to.as_os_str().as_bytes().ends_with(b"/") || to.is_dir() => (to.clone(), Some(named)),
            false => {
                let folder = to.parent().map_or_else(PathBuf::new, Path::to_owned);
                (folder, Some(to.file_name().map_or(named, OsStr::to_owned)))
            }
        };
        let archived = OsString::from(real.rsplit('/').next().unwrap_or_default());
        Ok(Self { from: real.to_owned(), archived, into, name, is_folder, exclude, limits: download.limits })
    }

    fn unpack(&self, archive: &mut BlockingReader) -> std::result::Result<Unpacked, ArchiveError> {
        let root = match &self.name {
            Some(name) if !self.is_folder => Root::File(&self.archived, name),
            name => Root::Folder(&self.archived, name.as_deref()),
        };
        let skip = |path: &Path, folder: bool| self.exclude.matches(path, folder);
        Unpack { root, skip: &skip, limits: self.limits }.draft(&self.into, archive)
    }
}
