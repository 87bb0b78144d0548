//! ARNs of roles, and AWS partitions.

use std::fmt;

use ami_bake_core::{Error, Result};

/// A partition: a set of regions with accounts of its own (AWS: "Partitions").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition(&'static str);

/// EC2's service principal, which assumes the roles of machines (IAM user guide for China, "Service principals").
pub(crate) fn ec2_service(partition: &str) -> &'static str {
    if partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" }
}

impl Partition {
    /// The partition of a region, from its name's prefix; unknown prefixes mean the commercial partition.
    pub(crate) fn of_region(region: &str) -> Self {
        const BY_PREFIX: [(&str, &str); 7] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-isob-", "aws-iso-b"),
            ("us-isof-", "aws-iso-f"),
            ("us-iso-", "aws-iso"),
            ("eu-isoe-", "aws-iso-e"),
            ("eusc-", "aws-eusc"),
        ];
        Self(BY_PREFIX.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, name)| name))
    }

    /// Name of the partition in ARNs.
    pub(crate) fn as_str(self) -> &'static str {
        self.0
    }
}

/// The ARN of a role: `arn:aws:iam::111111111111:role/path/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn {
    text: String,
    partition: String,
    account: String,
}

impl RoleArn {
    /// Parses an ARN.
    ///
    /// # Errors
    /// When the text can't be the ARN of a role.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, name] = parts[..] else { return Err(refused(text)) };
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let named =
            name.strip_prefix("role/").is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace));
        if !digits || !named || !partition.starts_with("aws") {
            return Err(refused(text));
        }
        Ok(Self { text: text.to_owned(), partition: partition.to_owned(), account: account.to_owned() })
    }

    /// The partition: `aws`, `aws-cn`, `aws-us-gov` …
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The account's 12 digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The full ARN.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The token audience that STS expects by default in this partition.
    pub fn audience(&self) -> &'static str {
        if self.partition == "aws-cn" { "sts.amazonaws.com.cn" } else { "sts.amazonaws.com" }
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The account ID in the ARN of a role.
pub(crate) fn account_of(role: &str) -> Option<String> {
    RoleArn::parse(role).ok().map(|role| role.account().to_owned())
}

fn refused(text: &str) -> Error {
    Error::preflight(format!("{text:?} is not the ARN of a role"))
        .help("Use the form arn:aws:iam::111111111111:role/NAME; `aws iam get-role --role-name NAME` shows it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_its_partition_and_account() {
        let role = RoleArn::parse("arn:aws-cn:iam::111111111111:role/ci/bake").unwrap();
        assert_eq!(
            (role.partition(), role.account(), role.audience()),
            ("aws-cn", "111111111111", "sts.amazonaws.com.cn")
        );
        for wrong in
            ["bake", "arn:aws:iam::1:role/bake", "arn:aws:iam::111111111111:user/x", "arn:aws:iam::111111111111:role/"]
        {
            assert!(RoleArn::parse(wrong).unwrap_err().help_text().is_some(), "{wrong}");
        }
    }

    #[test]
    fn regions_lie_in_partitions() {
        let of = |region: &str| Partition::of_region(region).as_str();
        assert_eq!(
            [of("eu-west-1"), of("cn-north-1"), of("us-gov-west-1"), of("us-isob-east-1")],
            ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"]
        );
    }
}
