//! Checks whether Auto Scaling may use the key of an encrypted image.

use ami_bake_core::{Result, Run};
use aws_sdk_ec2::types::Image;

use super::group::Group;
use crate::client::Client;
use crate::image::snapshots;

/// Alias of the key that AWS manages, which Auto Scaling may use.
const AWS_KEY: &str = "alias/aws/ebs";

/// Warns about the statement that the policy of `key` needs, unless the group's present image shows that it exists.
/// Without it every launch fails with `Client.InternalError` (Auto Scaling user guide, "Required AWS KMS key policy").
pub(super) async fn warn(client: &Client, run: &Run, group: &Group, image: Option<&Image>, key: &str) -> Result<()> {
    if key == AWS_KEY {
        return Ok(());
    }
    let now = match image {
        Some(image) => keys(client, image).await?,
        None => Vec::new(),
    };
    // An alias can't be compared with the key IDs that EC2 returns. A group that launches encrypted images has some
    // grant.
    let proven = if key.starts_with("alias/") || key.contains(":alias/") {
        !now.is_empty()
    } else {
        now.iter().any(|known| known.ends_with(key.rsplit('/').next().unwrap_or(key)))
    };
    if !proven {
        let role = group.raw.service_linked_role_arn().unwrap_or("the group's service-linked role");
        run.warn(
            format!(
                "{} can launch the image only if the policy of the key {key} allows Auto Scaling to use it",
                group.name
            ),
            Some(format!("If it does not, add to the key policy: {}", statement(role))),
        );
    }
    Ok(())
}

/// The keys of an image's snapshots.
async fn keys(client: &Client, image: &Image) -> Result<Vec<String>> {
    let ids = snapshots(image);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let request = client.ec2.describe_snapshots().set_snapshot_ids(Some(ids));
    match client.ask("DescribeSnapshots", request.send()).await {
        Ok(answer) => Ok(answer.snapshots().iter().filter_map(|one| one.kms_key_id.clone()).collect()),
        // Snapshots of another account's image are not visible; unknown keys count as not proven.
        Err(_) => Ok(Vec::new()),
    }
}

/// The policy statements, as in the user guide.
fn statement(role: &str) -> String {
    let principal = serde_json::json!({ "AWS": role });
    let uses = serde_json::json!({
        "Effect": "Allow", "Principal": principal,
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"], "Resource": "*",
    });
    let grants = serde_json::json!({
        "Effect": "Allow", "Principal": principal, "Action": "kms:CreateGrant", "Resource": "*",
        "Condition": {"Bool": {"kms:GrantIsForAWSResource": true}},
    });
    format!("{uses}, {grants}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_names_the_role_and_both_parts() {
        let text =
            statement("arn:aws:iam::1:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling");
        assert!(text.contains("AWSServiceRoleForAutoScaling") && text.contains("kms:CreateGrant"));
        assert!(text.contains("kms:GrantIsForAWSResource"));
    }
}
