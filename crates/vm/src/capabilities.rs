//! Name and capabilities of the platform.

use ami_bake_core::plan::CaptureMode;
use ami_bake_core::platform::Capabilities;

/// The platform's name in the ledger and in manifests.
pub(crate) const PLATFORM: &str = "vm";

/// Kind of an orphaned machine.
pub(crate) const VIRTUAL_MACHINE: &str = "virtual machine";

/// Capabilities of the platform. A disk is captured when its machine is off, so that both capture modes are the same.
pub const CAPABILITIES: Capabilities = Capabilities {
    platform: PLATFORM,
    source: "vm",
    machine: &[
        "user",
        "cpus",
        "memory",
        "firmware",
        "datasource",
        "disk.size",
        "user-data",
        "connect.timeout",
        "connect.port",
        "connect.host-key",
        "connect.key-type",
        "connect.host-key-type",
        "connect.pty",
        "connect.as",
        "metadata.tokens",
        "network",
        "lifetime",
    ],
    publish: &["name", "description", "tags", "keep", "if"],
    captures: &[CaptureMode::Halted, CaptureMode::Stopped],
    init: true,
    deploy: false,
    replaces_versions: true,
    services: false,
};
