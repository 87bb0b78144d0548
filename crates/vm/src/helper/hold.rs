//! Holds a virtual machine, so that it never outlives the program that started it, however that ends.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getppid, pidfd_open, set_parent_process_death_signal};

use super::{COMMAND, EXEC, KEEP};

/// Runs a program until it ends, its time is over, or standard input is closed; returns its exit status.
///
/// # Errors
/// When it can't be started or watched.
pub(super) fn hold(seconds: &str, program: &[OsString]) -> io::Result<u8> {
    let mut end = Instant::now() + Duration::from_secs(number(seconds)?);
    let mut child = Command::new(std::env::current_exe()?)
        .args([COMMAND, EXEC, &std::process::id().to_string()])
        .args(program)
        .stdin(Stdio::null())
        .spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let input = io::stdin();
    let mut watched = true;
    let mut line = Vec::new();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return kill(&mut child);
        }
        let mut descriptors = vec![PollFd::new(&ended, PollFlags::IN)];
        if watched {
            descriptors.push(PollFd::from_borrowed_fd(input.as_fd(), PollFlags::IN));
        }
        let timeout = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: 999_999_999 };
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = descriptors.iter().map(|one| !one.revents().is_empty()).collect();
        if ready.first() == Some(&true) {
            return Ok(status(child.wait()?));
        }
        if ready.get(1) != Some(&true) {
            continue;
        }
        let mut buffer = [0; 64];
        let length = input.lock().read(&mut buffer)?;
        line.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&line).into_owned();
        match text.trim_end().strip_prefix(KEEP) {
            Some(seconds) if text.ends_with('\n') => {
                watched = false;
                end = Instant::now() + Duration::from_secs(number(seconds)?);
            }
            _ if length == 0 => return kill(&mut child),
            _ => {}
        }
    }
}

/// Becomes the program, which the kernel kills as soon as `parent` ends.
///
/// # Errors
/// When the parent has ended already, or the program can't be started. Else this does not return.
pub(super) fn become_program(parent: &str, program: &[OsString]) -> io::Result<u8> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before the call.
    let now = getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if now.as_deref() != Some(parent) {
        return Err(io::Error::other("the parent process has ended"));
    }
    let Some((name, arguments)) = program.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program is given"));
    };
    Err(Command::new(name).args(arguments).exec())
}

fn number(text: &str) -> io::Result<u64> {
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "not a number of seconds"))
}

fn kill(child: &mut Child) -> io::Result<u8> {
    child.kill()?;
    Ok(status(child.wait()?))
}

fn status(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
