//! Hardware virtualization: whether KVM works here.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use ami_bake_core::duration::human;
use ami_bake_core::plan::Architecture;
use ami_bake_local::architecture;
use tokio::process::Command;

/// What runs the guest's instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Accelerator {
    /// The processor itself.
    Kvm,
    /// QEMU's emulator, which is about ten times slower.
    Tcg {
        /// Why KVM is not used.
        why: String,
        /// How to get KVM; none if it can't be had.
        help: Option<String>,
    },
}

impl Accelerator {
    fn tcg(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Tcg { why: why.into(), help: Some(help.into()) }
    }

    /// True for the emulator.
    pub(crate) fn is_slow(&self) -> bool {
        *self != Self::Kvm
    }
}

/// Help for a device that this user may not open.
const RIGHTS: &str = "Add your user to the group `kvm` (`sudo usermod -aG kvm $USER`) and log in again. On a GitHub-hosted \
                      runner, run: echo 'KERNEL==\"kvm\", GROUP=\"kvm\", MODE=\"0666\", OPTIONS+=\"static_node=kvm\"' | sudo tee \
                      /etc/udev/rules.d/99-kvm.rules && sudo udevadm control --reload-rules && sudo udevadm trigger \
                      --name-match=kvm";
/// Time limit of the trial guest, which needs half a second.
const LIMIT: Duration = Duration::from_secs(20);
/// A boot sector that ends the machine through the device isa-debug-exit: mov al,1; mov dx,0xf4; out dx,al; hlt.
const TRIAL: [u8; 7] = [0xb0, 0x01, 0xba, 0xf4, 0x00, 0xee, 0xf4];
/// The exit status of QEMU when the guest wrote 1: twice the value plus one.
const TRIAL_STATUS: i32 = 3;

/// What can run guests of an architecture with this emulator.
pub(crate) async fn detect(emulator: &Path, guest: Architecture) -> Accelerator {
    if architecture() != Some(guest) {
        return Accelerator::Tcg {
            why: format!("the image is for {}, this computer is not", guest.as_str()),
            help: None,
        };
    }
    match OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Accelerator::tcg("this user may not open /dev/kvm", RIGHTS);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return absent(),
        Err(error) => return Accelerator::tcg(format!("/dev/kvm can't be opened: {error}"), RIGHTS),
    }
    // Only x86 has the trial's device.
    if guest != Architecture::X86_64 {
        return Accelerator::Kvm;
    }
    match trial(emulator).await {
        Ok(()) => Accelerator::Kvm,
        Err(why) => Accelerator::tcg(
            format!("KVM does not run guests on this computer: {why}"),
            "On a virtual machine, nested virtualization must be enabled and supported by its host.",
        ),
    }
}

fn absent() -> Accelerator {
    let in_container = ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists());
    let help = if in_container {
        "Start the container with `--device /dev/kvm`. A container action can't see the device: use the setup action, which \
         runs ami-bake on the runner itself."
    } else {
        "Enable virtualization (VT-x, AMD-V) in the computer's firmware and load the kernel module `kvm_intel` or \
         `kvm_amd`."
    };
    Accelerator::tcg("/dev/kvm does not exist", help)
}

/// Runs a guest of one sector with KVM, since a device that can be opened may still not run anything, as on some nested
/// hosts.
async fn trial(emulator: &Path) -> Result<(), String> {
    let mut sector = [0; 512];
    sector[..TRIAL.len()].copy_from_slice(&TRIAL);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    let written = tempfile::NamedTempFile::new().and_then(|mut file| file.write_all(&sector).map(|()| file));
    let disk = written.map_err(|error| format!("no temporary file could be written: {error}"))?;
    let mut command = Command::new(emulator);
    command
        .args(["-accel", "kvm", "-cpu", "host", "-machine", "q35", "-m", "64", "-nodefaults", "-no-user-config"])
        .args(["-display", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-drive"])
        .arg(format!("file={},format=raw,if=virtio,read-only=on", disk.path().display().to_string().replace(',', ",,")))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    match tokio::time::timeout(LIMIT, command.output()).await {
        Err(_) => Err(format!("a trial guest did not run within {}", human(LIMIT))),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(output)) if output.status.code() == Some(TRIAL_STATUS) => Ok(()),
        Ok(Ok(output)) => Err(last_line(&output)),
    }
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.contains("error")).or_else(|| text.lines().last());
    line.map_or_else(|| format!("QEMU ended with {}", output.status), ami_bake_core::output::sanitize)
}
