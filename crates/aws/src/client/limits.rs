//! Rate limits of AWS per action.
//!
//! Figures: <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>, per account, region and action.
//! Other tools use the same quota, so a throttled answer empties the bucket (see `meter.rs`).

use ami_bake_core::limit::Rate;

/// The rate limit of an action, by its API name.
pub(crate) fn rate(action: &str) -> Rate {
    let (burst, per_second) = match action {
        "RunInstances" | "StartInstances" => (5.0, 2.0),
        "TerminateInstances"
        | "CreateSnapshot"
        | "CreateSnapshots"
        | "DeleteSnapshot"
        | "DeregisterImage"
        | "ModifyImageAttribute"
        | "ModifySnapshotAttribute" => (100.0, 5.0),
        "CreateTags" | "DeleteTags" => (100.0, 10.0),
        "CopyImage" => (100.0, 1.0),
        // Systems Manager's standard throughput (AWS General Reference, "Systems Manager endpoints and quotas").
        "PutParameter" => (3.0, 3.0),
        // S3 allows thousands a second for each prefix.
        "GetObject" | "ListBucket" | "PutObject" => (100.0, 100.0),
        // STS allows 600 a second; Systems Manager's reads 40.
        "DecodeAuthorizationMessage" | "GetCallerIdentity" | "GetParameter" => (40.0, 40.0),
        // IAM publishes no limit; one low limit for all of its actions.
        "CreateRole"
        | "DeleteRole"
        | "PutRolePolicy"
        | "DeleteRolePolicy"
        | "CreateInstanceProfile"
        | "DeleteInstanceProfile"
        | "AddRoleToInstanceProfile"
        | "RemoveRoleFromInstanceProfile" => (10.0, 5.0),
        action if action.starts_with("Describe") || action.starts_with("Get") => (100.0, 20.0),
        _ => (50.0, 5.0),
    };
    Rate { burst, per_second }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_buckets_are_known() {
        assert_eq!(rate("RunInstances"), Rate { burst: 5.0, per_second: 2.0 });
        assert_eq!(rate("CopyImage"), Rate { burst: 100.0, per_second: 1.0 });
        assert_eq!(rate("DescribeImages"), Rate { burst: 100.0, per_second: 20.0 });
        assert_eq!(rate("CreateSecurityGroup"), Rate { burst: 50.0, per_second: 5.0 });
    }
}
