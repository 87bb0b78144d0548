//! Export formats.

use std::path::Path;

use ami_bake_core::{Error, Result};

/// An export format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// QEMU's own format, compressed.
    Qcow2,
    /// The bytes of the disk, without those that are zero where the file system can leave them out.
    Raw,
    /// VMware's stream-optimized format.
    Vmdk,
    /// The format of Azure and Virtual PC, of fixed size.
    Vhd,
    /// A Vagrant box for the provider libvirt.
    VagrantLibvirt,
    /// A Vagrant box for the provider virtualbox.
    VagrantVirtualbox,
}

/// Names of the formats on the command line.
const NAMES: [(&str, Format); 6] = [
    ("qcow2", Format::Qcow2),
    ("raw", Format::Raw),
    ("vmdk", Format::Vmdk),
    ("vhd", Format::Vhd),
    ("vagrant-libvirt", Format::VagrantLibvirt),
    ("vagrant-virtualbox", Format::VagrantVirtualbox),
];

impl Format {
    /// The name of the format in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2 disk",
            Self::Raw => "raw disk",
            Self::Vmdk => "stream-optimized VMDK",
            Self::Vhd => "VHD",
            Self::VagrantLibvirt => "Vagrant box for libvirt",
            Self::VagrantVirtualbox => "Vagrant box for VirtualBox",
        }
    }

    /// The format for a file name; `format` is the value of `--format`.
    ///
    /// # Errors
    /// When the extension is unknown, or `format` is not one of this platform.
    pub fn of(file: &Path, format: Option<&str>) -> Result<Self> {
        const KNOWN: &str = "Use .qcow2, .raw or .img, .vmdk, .vhd, or .box for a Vagrant box (libvirt), or set --format qcow2, raw, \
                             vmdk, vhd, vagrant-libvirt or vagrant-virtualbox.";
        if let Some(name) = format {
            let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format);
            return known.ok_or_else(|| {
                Error::usage(format!("could not export as {name:?}: not supported for disks of virtual machines"))
                    .help(KNOWN)
            });
        }
        let extension =
            file.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
        match extension.as_str() {
            "qcow2" => Ok(Self::Qcow2),
            "raw" | "img" => Ok(Self::Raw),
            "vmdk" => Ok(Self::Vmdk),
            "vhd" => Ok(Self::Vhd),
            "box" => Ok(Self::VagrantLibvirt),
            _ => Err(Error::usage(format!("could not choose a format for {}: unknown file extension", file.display()))
                .help(KNOWN)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_or_the_flag_decides() {
        let of = |name: &str, wanted| Format::of(Path::new(name), wanted).ok();
        assert_eq!(of("web.qcow2", None), Some(Format::Qcow2));
        assert_eq!(of("out/web.IMG", None), Some(Format::Raw));
        assert_eq!(of("web.box", None), Some(Format::VagrantLibvirt));
        assert_eq!(of("web.box", Some("vagrant-virtualbox")), Some(Format::VagrantVirtualbox));
        assert_eq!(of("web.tar", None), None);
        assert_eq!(of("web.img", Some("oci")), None);
    }
}
