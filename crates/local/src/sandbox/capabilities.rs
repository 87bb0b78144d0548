//! Drops capabilities of root in a sandbox, to protect the host.

use ami_bake_core::Result;
use rustix::thread::CapabilitySet;

use super::failure::Context;
use super::spec::Network;

/// Capabilities over the kernel that host and sandbox share: modules, raw hardware, the clock, security policy.
const OVER_THE_KERNEL: [CapabilitySet; 7] = [
    CapabilitySet::SYS_MODULE,
    CapabilitySet::SYS_RAWIO,
    CapabilitySet::SYS_TIME,
    CapabilitySet::MAC_ADMIN,
    CapabilitySet::MAC_OVERRIDE,
    CapabilitySet::WAKE_ALARM,
    CapabilitySet::BLOCK_SUSPEND,
];

/// Drops these capabilities for every program that this process starts. A user namespace has none of them over the
/// host; there, programs are also kept from gaining privileges (setuid), since the user who started the sandbox has
/// none.
pub(super) fn drop_dangerous(user_namespace: bool, network: Network) -> Result<()> {
    let doing = || "drop capabilities".to_owned();
    if user_namespace {
        return rustix::thread::set_no_new_privs(true).context(doing);
    }
    for capability in OVER_THE_KERNEL {
        rustix::thread::remove_capability_from_bounding_set(capability).context(doing)?;
    }
    if network == Network::Host {
        rustix::thread::remove_capability_from_bounding_set(CapabilitySet::NET_ADMIN).context(doing)?;
    }
    Ok(())
}
