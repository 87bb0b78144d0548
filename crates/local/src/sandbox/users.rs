//! User namespaces, with which a sandbox works without root.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};

use ami_bake_core::{Error, Result};
use rustix::thread::UnshareFlags;

use super::arguments::{COMMAND, MAP};
use super::failure::{Context, from_stderr};
use super::raw;

/// True when this process is not root, so that it needs a user namespace.
pub(super) fn needed() -> bool {
    !rustix::process::geteuid().is_root()
}

/// Makes this process root of a new user namespace when it is not root, so that it can change files of a sandbox's users.
///
/// # Errors
/// When user namespaces are not allowed, or the users can't be mapped.
pub(crate) fn become_file_owner() -> Result<()> {
    if needed() { unshare_with(UnshareFlags::empty()) } else { Ok(()) }
}

/// Moves this process into a new user namespace, as its root, and into other new namespaces.
///
/// `newuidmap` may map more ids than the user's own, but only from outside the namespace. So a helper process is first
/// started in the old namespace; it waits for one byte and then writes the maps.
pub(super) fn unshare_with(flags: UnshareFlags) -> Result<()> {
    let doing = || "map the users of the sandbox".to_owned();
    let mut helper = Command::new("/proc/self/exe")
        .args([COMMAND, MAP, &std::process::id().to_string()])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(doing)?;
    raw::unshare(UnshareFlags::NEWUSER).map_err(|error| refused(&error))?;
    if let Some(mut pipe) = helper.stdin.take() {
        pipe.write_all(b"m").context(doing)?;
    }
    let output = helper.wait_with_output().context(doing)?;
    if !output.status.success() {
        return Err(from_stderr(&output.stderr));
    }
    // Drops the user's own groups; if the kernel refuses, they appear as nobody's inside.
    let _ = rustix::thread::set_thread_groups(&[]);
    if flags.is_empty() {
        return Ok(());
    }
    raw::unshare(flags).context(|| "create the namespaces of the sandbox".to_owned())
}

/// The error when the kernel refuses a user namespace.
fn refused(error: &std::io::Error) -> Error {
    let (why, first) = forbidden_by().unwrap_or((
        "the kernel or the surrounding container does not allow it",
        "Start the container with --privileged",
    ));
    Error::preflight(format!("could not create a user namespace: {why}"))
        .help(format!("{first}, run as root (sudo), or use --platform docker."))
        .because(std::io::Error::from(error.kind()))
}

/// The kernel setting that forbids user namespaces, and the command that changes it.
fn forbidden_by() -> Option<(&'static str, &'static str)> {
    let setting = |name: &str| std::fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default();
    if setting("user/max_user_namespaces").trim() == "0" {
        return Some(("user.max_user_namespaces is 0", "Set it with `sudo sysctl user.max_user_namespaces=10000`"));
    }
    if setting("kernel/unprivileged_userns_clone").trim() == "0" {
        return Some((
            "kernel.unprivileged_userns_clone is 0",
            "Set it with `sudo sysctl kernel.unprivileged_userns_clone=1`",
        ));
    }
    (setting("kernel/apparmor_restrict_unprivileged_userns").trim() == "1").then_some((
        "AppArmor restricts user namespaces",
        "Set `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
    ))
}

/// What is missing for sandboxes without root, as a sentence; `None` when nothing was found.
pub(crate) fn missing() -> Option<String> {
    if let Some((why, first)) = forbidden_by() {
        return Some(format!("{why}. {first}."));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if let Some(program) = ["newuidmap", "newgidmap"].into_iter().find(|program| !found(program)) {
        return Some(format!("{program} is missing. Install the package uidmap."));
    }
    let uid = rustix::process::getuid().as_raw();
    let range = range("/etc/subuid", uid).and_then(|_| range("/etc/subgid", uid));
    range.err().map(|error| format!("{}. {}", error.message(), error.help_text().unwrap_or_default()))
}

/// The helper process: maps the users of the process in its argument.
pub(super) fn map_main(arguments: &[OsString]) -> Result<ExitCode> {
    let doing = || "map the users of the sandbox".to_owned();
    let holder = arguments.first().and_then(|argument| argument.to_str()).unwrap_or_default();
    let mut byte = [0];
    if std::io::stdin().read(&mut byte).context(doing)? == 0 {
        // The other process failed before it needed the maps.
        return Ok(ExitCode::FAILURE);
    }
    let uid = rustix::process::getuid().as_raw();
    let gid = rustix::process::getgid().as_raw();
    for (program, file, own) in [("newuidmap", "/etc/subuid", uid), ("newgidmap", "/etc/subgid", gid)] {
        let (first, count) = range(file, uid)?;
        let status = Command::new(program)
            .arg(holder)
            .args(["0", &own.to_string(), "1", "1", &first.to_string(), &count.to_string()])
            .status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(Error::build(format!("could not map users: {program} ended with {status}"))),
            Err(error) => {
                return Err(Error::build(format!("could not run {program}"))
                    .help("Install the package uidmap, run as root (sudo), or use --platform docker.")
                    .because(error));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The user's first range in a file such as `/etc/subuid`: `NAME-OR-ID:FIRST:COUNT` (subuid(5)).
fn range(file: &str, uid: u32) -> Result<(u32, u32)> {
    let name = std::fs::read_to_string("/etc/passwd").unwrap_or_default().lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .find_map(|line| {
            let mut fields = line.trim().split(':');
            let whose = fields.next()?;
            let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (whose.parse() == Ok(uid) || Some(whose) == name.as_deref()).then_some(range)
        })
        .ok_or_else(|| {
            let user = name.unwrap_or_else(|| uid.to_string());
            Error::build(format!("could not map users: {file} has no range for {user}")).help(format!(
                "Add one with `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}`, run as \
                 root (sudo), or use --platform docker."
            ))
        })
}
