//! The account and region that a policy applies to.

use crate::client::identity::{Partition, RoleArn};

/// Partition, account and region of a role; `*` stands for unknown parts.
#[derive(Debug, Clone)]
pub struct PolicyScope {
    /// The partition.
    pub partition: String,
    /// ID of the account, 12 digits.
    pub account: String,
    /// The home region.
    pub region: String,
}

impl PolicyScope {
    /// The scope of a role, if known, and a region.
    pub fn of(role: Option<&str>, region: &str) -> Self {
        let role = role.and_then(|role| RoleArn::parse(role).ok());
        Self {
            partition: Partition::of_region(region).as_str().to_owned(),
            account: role.map_or_else(|| "*".to_owned(), |role| role.account().to_owned()),
            region: region.to_owned(),
        }
    }

    /// The ARN of an EC2 resource. ARNs of images and snapshots have no account.
    pub(super) fn ec2(&self, region: &str, name: &str) -> String {
        let account = if name.starts_with("image/") || name.starts_with("snapshot/") { "" } else { &self.account };
        format!("arn:{}:ec2:{region}:{account}:{name}", self.partition)
    }
}
