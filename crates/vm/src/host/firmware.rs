//! UEFI firmware.

use std::path::{Path, PathBuf};

use ami_bake_core::plan::Architecture;
use ami_bake_core::{Error, Result};

/// Files of a UEFI firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirmwareFiles {
    /// The program; never written to.
    pub(crate) code: PathBuf,
    /// Template of the variables, which every machine has for itself.
    pub(crate) variables: PathBuf,
}

/// Where distributions put OVMF and AAVMF: Debian and Ubuntu; Fedora and RHEL; Arch; Alpine; openSUSE. Without Secure
/// Boot, whose keys not every image is signed with.
const X86: [(&str, &str); 6] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"),
    ("/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"),
];
const ARM: [(&str, &str); 3] = [
    ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
    ("/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"),
    ("/usr/share/qemu/edk2-aarch64-code.fd", "/usr/share/qemu/edk2-arm-vars.fd"),
];

/// The UEFI firmware for an architecture.
///
/// # Errors
/// When none is installed.
pub(crate) fn uefi(architecture: Architecture) -> Result<FirmwareFiles> {
    let (known, install): (&[_], _) = match architecture {
        Architecture::X86_64 => (
            &X86,
            "Install OVMF: `apt-get install ovmf` (Debian, Ubuntu), `dnf install edk2-ovmf` (Fedora), `apk add ovmf` \
             (Alpine); or set `machine: {firmware: bios}` if the disk boots with a BIOS.",
        ),
        Architecture::Arm64 => (
            &ARM,
            "Install it: `apt-get install qemu-efi-aarch64` (Debian, Ubuntu), `dnf install edk2-aarch64` (Fedora), `apk add \
             aavmf` (Alpine).",
        ),
    };
    known
        .iter()
        .find(|(code, variables)| Path::new(code).is_file() && Path::new(variables).is_file())
        .map(|(code, variables)| FirmwareFiles { code: code.into(), variables: variables.into() })
        .ok_or_else(|| Error::preflight("no UEFI firmware for virtual machines is installed").help(install))
}
