//! Writes an export, in the process that has access to the files.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use ami_bake_core::{Error, Result};

use super::archive::Archive;
use super::format::Format;
use super::plan::{ExportPlan, create};
use super::tree::{Layer, merged};
use super::{disk, oci};
use crate::sandbox::become_file_owner;

/// The exporting process; its argument is the file with the plan.
///
/// # Errors
/// When a file can't be read or written.
pub(crate) fn main(arguments: &[OsString]) -> Result<ExitCode> {
    become_file_owner()?;
    let path = arguments.first().cloned().unwrap_or_default();
    let plan: ExportPlan = std::fs::read(Path::new(&path))
        .and_then(|text| Ok(serde_json::from_slice(&text)?))
        .map_err(|error| Error::internal("could not read the plan of an export").because(error))?;
    write(&plan)?;
    Ok(ExitCode::SUCCESS)
}

fn write(plan: &ExportPlan) -> Result<()> {
    let written = match plan.format {
        Format::Oci => oci::layout(plan, &plan.to),
        Format::OciArchive => oci::archive(plan),
        Format::Rootfs => create(&plan.to).and_then(|file| rootfs(&plan.layers, file)).map(drop),
        Format::RootfsGz => create(&plan.to).and_then(|file| {
            let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            rootfs(&plan.layers, gzip)?.finish()?.flush()
        }),
        Format::Disk => return disk::write(plan),
    };
    written.map_err(|error| Error::build(format!("could not write the {}", plan.format.as_str())).because(error))
}

fn rootfs<W: Write>(layers: &[Layer], to: W) -> io::Result<W> {
    let mut archive = Archive::new(to);
    merged(layers, &mut |name, node| archive.add(name, node))?;
    let mut to = archive.finish()?;
    to.flush()?;
    Ok(to)
}
