//! The seal: one last script that removes what must not be in an image.

use std::fmt::Write as _;

use ami_bake_core::plan::{ImageSettings, Keep};
use ami_bake_core::provision::{ConnectedMachine, Login};
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};

use crate::shell::ask;

/// Seals the machine's disk and reports what was removed.
///
/// # Errors
/// When something that must go could not be removed.
pub(crate) async fn seal(run: &Run, on: &ConnectedMachine<'_>, settings: &ImageSettings, login: &Login) -> Result<()> {
    let mut script = String::from("authorized_keys() { :\n");
    for key in &login.authorized_keys {
        let mut words = key.split_whitespace();
        // Type and key: options before them and the comment behind are the machine's own business.
        if let (Some(kind), Some(blob)) = (words.next(), words.next()) {
            let _ = writeln!(script, "printf '%s\\n' {}", quote(&format!("{kind} {blob}")));
        }
    }
    script.push_str("}\nlogin_files() { :\n");
    for file in &login.files {
        if !file.starts_with('/') || file.split('/').all(str::is_empty) || file.split('/').any(|part| part == "..") {
            return Err(Error::internal(format!("`{file}` is not a valid path of a login file")));
        }
        let _ = writeln!(script, "gone 'login files' {}", quote(file));
    }
    script.push_str("}\n");
    for (name, keep) in [
        ("keep_logs", Keep::Logs),
        ("keep_history", Keep::History),
        ("keep_machine_id", Keep::MachineId),
        ("keep_caches", Keep::Caches),
        ("keep_host_keys", Keep::HostKeys),
    ] {
        let _ = writeln!(script, "{name}={}", if settings.keep.contains(&keep) { "1" } else { "" });
    }
    script.push_str(include_str!("seal.sh"));
    let answer = ask(run, on, "seal the image", &script).await?;
    let text = answer.text("seal the image")?;
    let mut removed = Vec::new();
    let mut failed = Vec::new();
    let mut done = false;
    for line in text.lines() {
        match line.split_once('\t') {
            Some(("removed", what)) => removed.push(what.trim().to_owned()),
            Some(("failed", what)) => failed.push(ami_bake_core::output::sanitize(what)),
            // A sandbox or container, which has no SSH login, needs no host keys.
            Some(("warn", "host-keys")) if login.authorized_keys.is_empty() => {}
            Some(("warn", "host-keys")) => run.warn(
                "nothing on this machine creates SSH host keys at boot: machines of this image can't be reached over SSH",
                Some("Install cloud-init, run `ssh-keygen -A` at first boot, or keep them with `seal: {keep: [host-keys]}` (all machines share them then).".to_owned()),
            ),
            Some(("done", _)) => done = true,
            _ => {}
        }
    }
    if !failed.is_empty() {
        return Err(Error::build(format!("seal the image: could not remove {}", failed.join(", ")))
            .help("Check for a read-only file system or an immutable file (`lsattr`). Nothing was captured."));
    }
    if !done {
        return Err(Error::build("seal the image: the script on the machine was cut off").help("Nothing was captured."));
    }
    run.progress(match removed.as_slice() {
        [] => "Sealed: nothing to remove".to_owned(),
        removed => format!("Sealed: removed {}", removed.join(", ")),
    });
    Ok(())
}
