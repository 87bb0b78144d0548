//! Export formats.

use std::path::Path;

use ami_bake_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// An export format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// An OCI image layout in a folder (OCI Image Format Specification 1.0, "Image Layout").
    Oci,
    /// An OCI image layout in a tar file.
    OciArchive,
    /// The root file system in a tar file.
    Rootfs,
    /// The root file system in a tar file compressed with gzip.
    RootfsGz,
    /// The root file system on a raw ext4 disk without a partition table.
    Disk,
}

impl Format {
    /// The name of the format in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oci => "OCI image layout",
            Self::OciArchive => "OCI image layout in a tar file",
            Self::Rootfs | Self::RootfsGz => "root file system in a tar file",
            Self::Disk => "ext4 disk",
        }
    }

    /// The format for a file name; `format` is the value of `--format`: `oci`, `rootfs` or `disk`.
    ///
    /// # Errors
    /// When the extension is unknown, or `format` is invalid.
    pub fn of(file: &Path, format: Option<&str>) -> Result<Self> {
        let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        let is_gzip = ends(&[".tar.gz", ".tgz"]);
        match format {
            Some("oci") if ends(&[".tar"]) => Ok(Self::OciArchive),
            Some("oci") => Ok(Self::Oci),
            Some("rootfs") if is_gzip => Ok(Self::RootfsGz),
            Some("rootfs") => Ok(Self::Rootfs),
            Some("disk") => Ok(Self::Disk),
            Some(other) => Err(Error::usage(format!("could not export as {other:?}: it is not a valid format"))
                .help("Available formats: oci, rootfs, disk.")),
            None if ends(&[".oci.tar"]) => Ok(Self::OciArchive),
            None if ends(&[".oci"]) || !name.contains('.') => Ok(Self::Oci),
            None if ends(&[".tar"]) => Ok(Self::Rootfs),
            None if is_gzip => Ok(Self::RootfsGz),
            None if ends(&[".img", ".raw"]) => Ok(Self::Disk),
            None => Err(Error::usage(format!("could not choose a format for {}: unknown file extension", file.display())).help(
                "Use a folder or .oci.tar for an OCI image layout, .tar or .tar.gz for a root file system, .img or .raw \
                 for an ext4 disk, or set --format oci, rootfs or disk.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_or_the_flag_decides() {
        let of = |name: &str, wanted| Format::of(Path::new(name), wanted).ok();
        assert_eq!(of("web", None), Some(Format::Oci));
        assert_eq!(of("out/web.oci", None), Some(Format::Oci));
        assert_eq!(of("web.oci.tar", None), Some(Format::OciArchive));
        assert_eq!(of("web.tar", None), Some(Format::Rootfs));
        assert_eq!(of("web.tar", Some("oci")), Some(Format::OciArchive));
        assert_eq!(of("web-1.2.TGZ", None), Some(Format::RootfsGz));
        assert_eq!(of("web.raw", None), Some(Format::Disk));
        assert_eq!(of("web.bin", Some("disk")), Some(Format::Disk));
        assert_eq!(of("web.zip", None), None);
        assert_eq!(of("web.tar", Some("iso")), None);
    }
}
