//! The seal: two scripts that remove what must not be in an image, before and after the search for secrets.

use std::fmt::Write as _;

use ami_bake_core::output::sanitize;
use ami_bake_core::plan::{ImageSettings, Keep};
use ami_bake_core::provision::{ConnectedMachine, Login};
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};

use crate::shell::ask;

/// Removes logs, histories, caches, temporary files and the machine's identity, and reports what was removed.
///
/// # Errors
/// When something that must go could not be removed.
pub(crate) async fn clean(run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings) -> Result<()> {
    let removed = remove(run, on, settings, "", include_str!("clean.sh"), true).await?;
    if !removed.is_empty() {
        run.progress(format!("Removed {}", removed.join(", ")));
    }
    Ok(())
}

/// Removes the bake's login and the host keys, and reports what was removed.
///
/// # Errors
/// When something that must go could not be removed.
pub(crate) async fn seal(run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings, login: &Login) -> Result<()> {
    let mut functions = String::from("authorized_keys() { :\n");
    for key in &login.authorized_keys {
        let mut words = key.split_whitespace();
        // Type and key; options before them and the comment after them may differ on the machine.
        if let (Some(kind), Some(blob)) = (words.next(), words.next()) {
            let _ = writeln!(functions, "printf '%s\\n' {}", quote(&format!("{kind} {blob}")));
        }
    }
    functions.push_str("}\nlogin_files() { :\n");
    for file in &login.files {
        if !file.starts_with('/') || file.split('/').all(str::is_empty) || file.split('/').any(|part| part == "..") {
            return Err(Error::internal(format!("`{file}` is not a valid path of a login file")));
        }
        let _ = writeln!(functions, "gone 'login files' {}", quote(file));
    }
    let _ = writeln!(functions, "}}\nlast() {{ :\n{}\n}}", login.last);
    // A sandbox or container has no SSH login, so it needs no host keys.
    let over_ssh = !login.authorized_keys.is_empty();
    let removed = remove(run, on, settings, &functions, include_str!("access.sh"), over_ssh).await?;
    run.progress(match removed.as_slice() {
        [] => "Sealed".to_owned(),
        removed => format!("Removed {}", removed.join(", ")),
    });
    Ok(())
}

/// Runs one script of the seal, and returns what it removed.
async fn remove(
    run: &Run,
    on: &ConnectedMachine<'_>,
    settings: &ImageSettings,
    functions: &str,
    part: &str,
    over_ssh: bool,
) -> Result<Vec<String>> {
    let mut script = functions.to_owned();
    for (name, keep) in [
        ("keep_logs", Keep::Logs),
        ("keep_history", Keep::History),
        ("keep_machine_id", Keep::MachineId),
        ("keep_caches", Keep::Caches),
        ("keep_host_keys", Keep::HostKeys),
    ] {
        let _ = writeln!(script, "{name}={}", if settings.keep.contains(&keep) { "1" } else { "" });
    }
    script.push_str(include_str!("common.sh"));
    script.push_str(part);
    let answer = ask(run, on, "seal the image", &script).await?;
    let text = answer.text("seal the image")?;
    let mut removed = Vec::new();
    let mut failed = Vec::new();
    let mut done = false;
    for line in text.lines() {
        match line.split_once('\t') {
            Some(("removed", what)) => removed.push(sanitize(what.trim())),
            Some(("failed", what)) => failed.push(sanitize(what)),
            Some(("warn", "host-keys")) if over_ssh => run.warn(
                "nothing on this machine creates SSH host keys at boot: machines of this image can't be reached over SSH",
                Some("Install cloud-init, run `ssh-keygen -A` at first boot, or keep them with `seal: {keep: [host-keys]}` (all machines share them then).".to_owned()),
            ),
            Some(("busy", what)) => {
                return Err(Error::build(format!("could not seal the image: {} is still running on the machine", sanitize(what)))
                    .help("It writes what the seal removes. Wait for it in the last step: `cloud-init status --wait`."));
            }
            Some(("done", _)) => done = true,
            _ => {}
        }
    }
    if !failed.is_empty() {
        return Err(Error::build(format!("could not seal the image: {} could not be removed", failed.join(", ")))
            .help("Check for a read-only file system or an immutable file (`lsattr`). Nothing was captured."));
    }
    if !done {
        return Err(Error::build("could not seal the image: the script on the machine was interrupted")
            .help("Nothing was captured."));
    }
    Ok(removed)
}
