//! The step type `upload`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{FileKind, InputTree, LocalFile, Selection, Step, UploadStep, local_files};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;

use super::pack::{ArchiveItem, Ownership, check_readable, pack};
use crate::local::{Chunks, blocking, changed};
use crate::shell::ask;
use crate::step_type::StepType;

/// Facts about the target on the machine.
struct UploadTarget {
    folder: bool,
    uid: u64,
    gid: u64,
}

#[async_trait]
impl StepType for UploadStep {
    async fn apply(&self, run: &Run, on: &ConnectedMachine<'_>, step: &Step, _: &mut dyn OutputSink) -> Result<()> {
        upload(run, on, step, self).await
    }
}

/// Sends a file or a folder.
///
/// - A folder's contents (trailing slash) go into `to`; a folder itself becomes `to/NAME`.
/// - A file goes into `to` when that ends in `/` or is a folder on the machine; else it becomes `to`.
///
/// # Errors
/// When a local file can't be read (before anything is sent), the owner is unknown, or the machine reports an error.
pub(crate) async fn upload(run: &Run, on: &ConnectedMachine<'_>, step: &Step, upload: &UploadStep) -> Result<()> {
    let name = &step.name;
    let local = |error: io::Error| {
        Error::build(format!("step `{name}`: {error}"))
            .help("The path is relative to the manifest's folder. Nothing was uploaded.")
            .at(step.route.key("upload"))
    };
    if !upload.to.starts_with('/') {
        let message = format!("step `{name}`: `{}` is not an absolute path", upload.to);
        return Err(Error::manifest(message).help("Start `to` with `/`.").at(step.route.key("to")));
    }
    let selection = Selection::sent(&upload.exclude)
        .map_err(|error| Error::manifest(format!("step `{name}`: {error}")).at(step.route.key("exclude")))?;
    let (from, follow) = (upload.from.clone(), upload.follow_links);
    let found = blocking(move || local_files(&from, &selection, follow)).await?.map_err(local)?;
    for repository in &found.repositories {
        let path = upload.from.join(repository);
        run.progress(format!("Leaving out {}: it is Git's own and may contain credentials", path.display()));
    }
    let files = found.files;
    let single = files.first().is_some_and(|file| matches!(file.kind, FileKind::File(_)));
    if single && upload.contents {
        let message = format!("`{}` is a file: remove the `/` at its end", upload.from.display());
        return Err(local(io::Error::other(message)));
    }
    let planned = step.inputs.tree(&upload.from, &upload.exclude, follow);
    if let Some(planned) = planned {
        same_files(&upload.from, &files, planned).map_err(local)?;
    }
    let target = target(run, on, step, upload).await?;
    let (folder, items) = place(upload, files, single, target.folder, planned).map_err(local)?;
    let ownership = Ownership { uid: target.uid, gid: target.gid, mode: upload.mode };
    let items = blocking(move || check_readable(&items).map(|()| items)).await?.map_err(local)?;
    let count = items.iter().filter(|item| matches!(item.file.kind, FileKind::File(_))).count();

    let (mut writer, reader) = Chunks::pair();
    let packing = tokio::task::spawn_blocking(move || {
        let packed = pack(&items, ownership, &mut writer);
        if let Err(error) = &packed {
            writer.fail(error);
        }
        packed
    });
    let send = on.communicator.put(Box::new(reader), &folder);
    let sent = match step.timeout {
        None => run.until_cancelled(send).await?,
        Some(limit) => tokio::select! {
            sent = run.until_cancelled(send) => sent?,
            () = run.clock().sleep(limit) => return Err(too_slow(step, limit)),
        },
    };
    match packing.await {
        // A broken pipe here is caused by a failure on the machine, which is reported instead.
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe || sent.is_ok() => {
            return Err(Error::build(format!("step `{name}`: {error}")).at(step.route.key("upload")));
        }
        _ => {}
    }
    sent.map_err(|error| {
        Error::build(format!(
            "step `{name}`: could not upload `{}` to `{}` on the machine",
            upload.from.display(),
            upload.to
        ))
        .help("Check for a full disk, a read-only file system, or a file in place of a folder.")
        .because(error)
        .at(step.route.clone())
    })?;
    run.progress(format!("Uploaded {count} {} to {}", if count == 1 { "file" } else { "files" }, upload.to));
    Ok(())
}

/// The error of a transfer that took longer than the step's `timeout`.
pub(super) fn too_slow(step: &Step, limit: std::time::Duration) -> Error {
    let text = format!(
        "step `{}`: the {} took longer than {}",
        step.name,
        step.action.name(),
        ami_bake_core::duration::human(limit)
    );
    Error::build(text).help("Raise `timeout`.").at(step.route.clone())
}

/// Compares the present files with those that the digest was computed from.
fn same_files(from: &Path, files: &[LocalFile], planned: &InputTree) -> io::Result<()> {
    let there: BTreeSet<&Path> = files
        .iter()
        .filter(|file| matches!(file.kind, FileKind::File(_)))
        .map(|file| file.relative.as_path())
        .collect();
    let missing = planned.keys().map(PathBuf::as_path).find(|path| !there.contains(path));
    let added = there.iter().find(|path| !planned.contains_key(**path));
    match (missing, added) {
        (Some(path), _) => Err(changed(&format!("`{}` was deleted while baking", from.join(path).display()))),
        (None, Some(path)) => Err(changed(&format!("`{}` was added while baking", from.join(path).display()))),
        (None, None) => Ok(()),
    }
}

/// The destination of each file: the folder to unpack in, and the name there.
fn place(
    upload: &UploadStep,
    files: Vec<LocalFile>,
    single: bool,
    folder: bool,
    planned: Option<&InputTree>,
) -> io::Result<(String, Vec<ArchiveItem>)> {
    let item = |file: LocalFile, name: PathBuf| {
        let planned = planned.and_then(|planned| planned.get(&file.relative)).copied();
        ArchiveItem { file, name, planned }
    };
    let to = match upload.to.trim_end_matches('/') {
        "" => "/",
        to => to,
    };
    let base = || -> io::Result<PathBuf> {
        let whole = upload.from.canonicalize()?;
        // The name as written, not that of the link's target.
        let name = upload.from.file_name().or_else(|| whole.file_name()).map(PathBuf::from);
        name.ok_or_else(|| {
            io::Error::other(format!("`{}` has no file name: add a `/` to upload its contents", upload.from.display()))
        })
    };
    if single {
        let into = upload.to.ends_with('/') || folder;
        let (parent, name) = match to.rsplit_once('/') {
            _ if into => (to, base()?),
            Some(("", name)) => ("/", name.into()),
            Some((parent, name)) => (parent, name.into()),
            None => (to, base()?),
        };
        return Ok((parent.to_owned(), files.into_iter().map(|file| item(file, name.clone())).collect()));
    }
    let prefix = if upload.contents { PathBuf::new() } else { base()? };
    let items = files
        .into_iter()
        .map(|file| {
            let name = prefix.join(&file.relative);
            item(file, name)
        })
        // The target folder belongs to the machine: if it exists, its owner and mode stay.
        .filter(|item| !item.name.as_os_str().is_empty())
        .map(|item| ArchiveItem { name: item.name.components().collect(), ..item })
        .collect();
    Ok((to.to_owned(), items))
}

/// Checks whether the target is a folder, and looks up the owner's numbers. A missing target folder is created, so that
/// it gets the right owner, too.
async fn target(run: &Run, on: &ConnectedMachine<'_>, step: &Step, upload: &UploadStep) -> Result<UploadTarget> {
    let (user, group) = match upload.owner.as_deref() {
        None => ("0", None),
        Some(owner) => owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group))),
    };
    for part in [Some(user), group].into_iter().flatten() {
        crate::shell::check_user(part).map_err(|error| error.at(step.route.key("owner")))?;
    }
    let script = format!(
        "user={} group={} to={} make={} mode={}\n{}",
        quote(user),
        quote(group.unwrap_or_default()),
        quote(&upload.to),
        if upload.contents { "1" } else { "''" },
        upload.mode.map_or_else(|| "0755".to_owned(), |mode| format!("{:04o}", super::pack::folder_mode(mode))),
        include_str!("target.sh"),
    );
    let text = ask(run, on, &format!("inspect `{}` for the step `{}`", upload.to, step.name), &script)
        .await?
        .text("inspect the target")?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let unknown = |what: &str, who: &str| {
        Error::build(format!("step `{}`: the machine has no {what} `{who}`", step.name))
            .help("Create it in an earlier step, or correct `owner`.")
            .at(step.route.key("owner"))
    };
    match words.as_slice() {
        ["user"] => Err(unknown("user", user)),
        ["group"] => Err(unknown("group", group.unwrap_or_default())),
        [kind, uid, gid] => {
            let number = |text: &str| {
                text.parse().map_err(|_| Error::build(format!("could not parse the owner's ID: `{text}`")))
            };
            Ok(UploadTarget { folder: *kind == "folder", uid: number(uid)?, gid: number(gid)? })
        }
        _ => {
            Err(Error::build(format!("could not parse the machine's output about `{}`: `{}`", upload.to, text.trim())))
        }
    }
}
