//! The files of the data source NoCloud
//! (<https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html>).

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use ami_bake_core::{Error, Result, whole_file};
use serde_json::json;

/// What cloud-init gets at the first boot of a machine.
#[derive(Debug, Clone)]
pub(crate) struct FirstBoot {
    /// The instance ID. cloud-init sets a system up again when it changes.
    pub(crate) instance: String,
    /// Name of the host.
    pub(crate) host_name: String,
    /// Login keys as lines of `authorized_keys`.
    pub(crate) keys: Vec<String>,
    /// The user data.
    pub(crate) user_data: String,
    /// The MAC address of the machine's network card.
    pub(crate) mac: String,
    /// Architecture in EC2's words: `x86_64`, `arm64`.
    pub(crate) architecture: &'static str,
    /// True when requests of the metadata service need a session token (IMDSv2).
    pub(crate) tokens_required: bool,
}

/// Writes the files to a new folder, which QEMU shows to the guest as a disk.
///
/// # Errors
/// When a file can't be written.
pub(crate) fn write_seed(folder: &Path, boot: &FirstBoot) -> Result<()> {
    let failed = |error: std::io::Error| Error::build("could not write the data for cloud-init").because(error);
    DirBuilder::new().mode(0o700).create(folder).map_err(failed)?;
    // JSON is YAML, too.
    let metadata = json!({
        "instance-id": boot.instance,
        "local-hostname": boot.host_name,
        "public-keys": boot.keys,
    });
    for (name, text) in [("meta-data", metadata.to_string().as_str()), ("user-data", boot.user_data.as_str())] {
        // Readable by this user alone: the user data has the machine's private host keys.
        whole_file::create(&folder.join(name), 0o600, |to| to.write_all(text.as_bytes())).map_err(failed)?;
    }
    Ok(())
}
