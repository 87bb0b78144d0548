//! Programs of other packages.

use std::path::{Path, PathBuf};

use ami_bake_core::plan::Architecture;
use ami_bake_core::{Error, Result};

/// A program that this computer needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// Name of the program.
    pub(crate) name: &'static str,
    /// How to install it.
    pub(crate) install: &'static str,
}

/// QEMU for x86.
const QEMU_X86: Program = Program {
    name: "qemu-system-x86_64",
    install: "Install QEMU: `apt-get install qemu-system-x86` (Debian, Ubuntu), `dnf install qemu-system-x86-core` (Fedora), \
              `apk add qemu-system-x86_64` (Alpine).",
};
/// QEMU for 64-bit ARM.
const QEMU_ARM: Program = Program {
    name: "qemu-system-aarch64",
    install: "Install QEMU: `apt-get install qemu-system-arm` (Debian, Ubuntu), `dnf install qemu-system-aarch64-core` \
              (Fedora), `apk add qemu-system-aarch64` (Alpine).",
};
/// QEMU's tool for disk images.
const QEMU_IMG: Program = Program {
    name: "qemu-img",
    install: "Install it: `apt-get install qemu-utils` (Debian, Ubuntu), `dnf install qemu-img` (Fedora), `apk add qemu-img` \
              (Alpine).",
};

/// The emulator of an architecture.
///
/// # Errors
/// When it is not installed.
pub(crate) fn emulator(architecture: Architecture) -> Result<PathBuf> {
    find(match architecture {
        Architecture::X86_64 => QEMU_X86,
        Architecture::Arm64 => QEMU_ARM,
    })
}

/// QEMU's tool for disk images.
///
/// # Errors
/// When it is not installed.
pub(crate) fn qemu_img() -> Result<PathBuf> {
    find(QEMU_IMG)
}

/// The program that decompresses to its standard output with `-dc`, by the first bytes of a file; none if the file is not
/// compressed.
pub(crate) fn decompressor(head: &[u8]) -> Option<Program> {
    // RFC 1952; xz file format 1.2; RFC 8878; bzip2.
    const KINDS: [(&[u8], Program); 4] = [
        (b"\x1f\x8b", Program { name: "gzip", install: "Install the package `gzip`." }),
        (b"\xfd7zXZ\0", Program { name: "xz", install: "Install the package `xz-utils` (Debian, Ubuntu) or `xz`." }),
        (b"\x28\xb5\x2f\xfd", Program { name: "zstd", install: "Install the package `zstd`." }),
        (b"BZh", Program { name: "bzip2", install: "Install the package `bzip2`." }),
    ];
    KINDS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, program)| *program)
}

/// The path of a program.
///
/// # Errors
/// When it is not installed.
pub(crate) fn find(program: Program) -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program.name))
        .find(|path| is_executable(path))
        .ok_or_else(|| Error::preflight(format!("`{}` is not installed", program.name)).help(program.install))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let error = find(Program { name: "no-such-program-4711", install: "Install the package `x`." }).unwrap_err();
        assert_eq!(error.message(), "`no-such-program-4711` is not installed");
        assert_eq!(error.help_text(), Some("Install the package `x`."));
        assert!(find(Program { name: "sh", install: "" }).is_ok());
    }

    #[test]
    fn compression_is_told_by_the_content() {
        let name = |head: &[u8]| decompressor(head).map(|program| program.name);
        assert_eq!(name(b"\x1f\x8b\x08"), Some("gzip"));
        assert_eq!(name(b"\xfd7zXZ\0\0"), Some("xz"));
        assert_eq!(name(b"\x28\xb5\x2f\xfd"), Some("zstd"));
        assert_eq!(name(b"QFI\xfb"), None);
        assert_eq!(name(b""), None);
    }
}
