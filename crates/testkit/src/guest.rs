//! The disk from which guests with a real kernel boot (`tests/guest`).

use std::path::PathBuf;
use std::process::Command;

use crate::cloud::repository;

/// The folder with `disk.qcow2`, `vmlinuz` and `initrd`. The first call on a machine makes them, which takes a minute or
/// two and needs a package mirror; nothing may write to them.
///
/// # Panics
/// When they can't be made, with the reason: missing packages with the command that installs them.
pub fn base() -> PathBuf {
    let made = Command::new(repository().join("tests/guest/build")).output().unwrap();
    assert!(made.status.success(), "tests/guest/build: {}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim_end().into()
}
