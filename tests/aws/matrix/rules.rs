//! The rules for the results of faults (docs/dev/lifecycle.md, "Faults"). Expectations are derived from these; no table
//! of results is stored.

use super::fault::{Fault, Target};
use super::survey::SurveyedCall;

/// Purpose of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It creates or changes something that the image or its users need.
    Work,
    /// It deletes something that only this run needed.
    CleanUp,
    /// The bake goes on without it: it speeds up the clean-up, or sets what a user of the image can set, too.
    Optional,
    /// It deletes an older version, or something else that existed before the run.
    Retention,
}

impl Purpose {
    /// The purpose from the verb of the call, and from whether it names something that existed before.
    pub(super) fn of(target: &Target, parameters: &str, prepared: &[String]) -> Self {
        let verbs = ["Terminate", "Delete", "Deregister", "Remove", "Detach", "Revoke", "DisableImageDeregistration"];
        let deletes = verbs.iter().any(|verb| target.name().starts_with(verb));
        // The tag ami-bake:expires is removed when the image is published; groups contain machines, which a deployment
        // moves.
        let works = target.name() == "DeleteTags" || target.action.starts_with("autoscaling:");
        // Frees the security group before EC2 has terminated the machine; the shutdown behavior that an image may carry.
        if ["ModifyNetworkInterfaceAttribute", "ModifyInstanceAttribute"].contains(&target.name()) {
            return Self::Optional;
        }
        match deletes && !works {
            false => Self::Work,
            true if prepared.iter().any(|id| parameters.contains(id.as_str())) => Self::Retention,
            true => Self::CleanUp,
        }
    }
}

/// The expected exit code for a fault in a call; `None` if the program is killed.
pub(super) fn exit_code(call: &SurveyedCall, fault: Fault, home: &str) -> Option<i32> {
    match fault {
        Fault::Killed { .. } => None,
        // A final refusal ends the stage; everything else is retried until it succeeds.
        Fault::Denied => Some(match call.purpose {
            Purpose::CleanUp => 9,
            Purpose::Retention | Purpose::Optional => 0,
            // Other regions are only published to; their copies begin while the image is still being tested.
            Purpose::Work if call.target.region != home && call.target.action.starts_with("ec2:") => 7,
            Purpose::Work => match call.stage.as_str() {
                "source" | "launch" => 4,
                "test" => 6,
                "publish" => 7,
                "deploy" => 8,
                _ => 5,
            },
        }),
        _ => Some(0),
    }
}
