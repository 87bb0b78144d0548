//! Name and capabilities of the local platform.

use ami_bake_core::plan::CaptureMode;
use ami_bake_core::platform::Capabilities;

/// The platform's name in the ledger and in manifests.
pub(crate) const PLATFORM: &str = "local";

/// Kind of an orphaned machine.
pub(crate) const SANDBOX: &str = "sandbox";

/// Capabilities of the local platform. All capture modes are the same here: the machine's processes end first.
pub const CAPABILITIES: Capabilities = Capabilities {
    platform: PLATFORM,
    source: PLATFORM,
    machine: &["user", "network", "lifetime", "tags"],
    publish: &["name", "description", "tags", "keep", "if"],
    captures: &[CaptureMode::Halted, CaptureMode::Stopped, CaptureMode::Live],
    init: false,
    deploy: false,
    replaces_versions: true,
    services: false,
};
