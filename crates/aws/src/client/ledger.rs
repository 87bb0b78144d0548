//! The kinds of resources that this platform creates, as the ledger names them.

pub(crate) use ami_bake_core::ledger::{IMAGE, MACHINE};

/// The platform's name in the ledger and in manifests.
pub(crate) const PLATFORM: &str = "aws";
/// A snapshot; its entries are found by the volume, or by the snapshot that it was copied from.
pub(crate) const SNAPSHOT: &str = "snapshot";
/// A copy of a source's snapshot in this account; its entries are found by the source's snapshot.
pub(crate) const SNAPSHOT_COPY: &str = "snapshot-copy";
/// The login key pair of a run.
pub(crate) const KEY_PAIR: &str = "key-pair";
/// The security group of a run.
pub(crate) const SECURITY_GROUP: &str = "security-group";
/// IAM path of everything that a bake creates, so that a policy can allow just that.
pub(crate) const IAM_PATH: &str = "/ami-bake/";
/// The temporary role of machines.
pub(crate) const ROLE: &str = "role";
/// The instance profile with the temporary role.
pub(crate) const INSTANCE_PROFILE: &str = "instance-profile";
