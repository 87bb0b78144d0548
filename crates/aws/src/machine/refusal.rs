//! Decides after a refused launch what to try next.

use crate::client::Failure;

/// What to do after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextAttempt {
    /// The request may have taken effect: repeat it unchanged.
    Repeat,
    /// A new resource isn't visible everywhere yet: repeat the request for a minute.
    TooEarly,
    /// No capacity, or the type isn't offered there: try the next subnet, then the next type.
    Elsewhere,
    /// The type can't be used anywhere: try the next type.
    OtherType,
    /// The quota for this kind of type is used up: try the next type with another quota.
    OtherQuota,
    /// No other attempt can succeed.
    Stop,
}

/// Codes for missing capacity (<https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html>).
const ELSEWHERE: &[&str] = &[
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "SpotMaxPriceTooLow",
    "MaxSpotInstanceCountExceeded",
    "Unsupported",
    "UnsupportedOperation",
    "InstanceTypeNotSupported",
];

/// Which resources of a launch this run has just created, so that EC2 may not see them everywhere yet. Resources that
/// the manifest names exist already, or are a typo that waiting can't correct.
#[derive(Debug, Clone, Copy)]
pub(super) struct JustMade {
    /// The run created the security group.
    pub(super) group: bool,
    /// The run created the instance profile.
    pub(super) profile: bool,
}

impl JustMade {
    /// Whether a refusal is about a resource of the run: always for its login key, and for the image, which was just
    /// found or captured.
    fn covers(self, failure: &Failure) -> bool {
        failure.is(&["InvalidKeyPair.NotFound", "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"])
            || (self.group && failure.is(&["InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"]))
            || (self.profile && failure.is(&["InvalidParameterValue"]) && failure.text().contains("Instance Profile"))
    }
}

/// Decides after a refusal of RunInstances. InsufficientInstanceCapacity comes with HTTP 500 but is definite.
pub(super) fn decide(failure: &Failure, made: JustMade) -> NextAttempt {
    if failure.is(ELSEWHERE) {
        return NextAttempt::Elsewhere;
    }
    if failure.unknown() || failure.throttled() || failure.never_sent() {
        return NextAttempt::Repeat;
    }
    if made.covers(failure) {
        return NextAttempt::TooEarly;
    }
    if failure.is(&["VcpuLimitExceeded"]) {
        return NextAttempt::OtherQuota;
    }
    let text = failure.text();
    if failure.is(&["InvalidParameterValue"]) && (text.contains("InstanceType") || text.contains("architecture")) {
        return NextAttempt::OtherType;
    }
    NextAttempt::Stop
}

/// Decides after a machine went from pending to terminated, by the code of StateReason
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html>).
pub(super) fn decide_end(code: &str) -> NextAttempt {
    match code {
        "Server.InsufficientInstanceCapacity"
        | "Server.InsufficientHostCapacity"
        | "Server.SpotInstanceTermination"
        | "Server.SpotInstanceShutdown"
        | "Server.InternalError"
        | "Server.ScheduledStop" => NextAttempt::Elsewhere,
        _ => NextAttempt::Stop,
    }
}

/// Help for a machine that ended for this reason.
pub(super) fn help_end(code: &str) -> &'static str {
    match code {
        "Client.InternalError" => {
            "Usually a volume is encrypted with a KMS key that the role may not use: grant kms:CreateGrant, kms:Decrypt, \
             kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext and kms:ReEncrypt* on the key to the role."
        }
        "Client.VolumeLimitExceeded" => {
            "The account's EBS storage limit is reached: delete volumes or request an increase under Service Quotas."
        }
        "Client.InvalidSnapshot.NotFound" => "A snapshot of the source image no longer exists: use another source.",
        "Client.InstanceInitiatedShutdown" => {
            "The machine shut itself down: by a step, by the user data, or by its self-termination timer (`machine.lifetime`)."
        }
        "Client.UserInitiatedShutdown" | "Server.UserInitiatedShutdown" => {
            "Somebody else terminated or stopped it: CloudTrail shows who called TerminateInstances or StopInstances."
        }
        "Server.SpotInstanceTermination" | "Server.SpotInstanceShutdown" => {
            "EC2 reclaimed the spot capacity. Bake again, or set `spot: false`."
        }
        _ => "Bake again; if it happens again, use other types under `machine: {type: …}`.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_an_early_end_decides() {
        assert_eq!(decide_end("Server.InsufficientInstanceCapacity"), NextAttempt::Elsewhere);
        assert_eq!(decide_end("Client.InternalError"), NextAttempt::Stop);
        assert!(help_end("Client.InternalError").contains("kms:CreateGrant"));
        assert!(help_end("Client.InstanceInitiatedShutdown").contains("self-termination"));
    }
}
