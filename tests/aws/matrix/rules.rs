//! What may come of a fault (docs/dev/lifecycle.md, "Faults"). Expectations are derived from these rules; no table of
//! results is stored.

use super::fault::{Fault, Target};
use super::survey::SurveyedCall;

/// What a call is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It makes or changes something that the image or its users need.
    Work,
    /// It deletes what only this run needed.
    CleanUp,
    /// It only makes the clean-up faster; without it the clean-up waits.
    Haste,
    /// It deletes an older version, or another thing that was there before the run.
    Retention,
}

impl Purpose {
    /// By the verb of the call, and whether it names something that was there before.
    pub(super) fn of(target: &Target, parameters: &str, prepared: &[String]) -> Self {
        let verbs = ["Terminate", "Delete", "Deregister", "Remove", "Detach", "Revoke", "DisableImageDeregistration"];
        let deletes = verbs.iter().any(|verb| target.name().starts_with(verb));
        // The image carries ami-bake:expires until it is published; groups hold machines, which a deployment moves.
        let works = target.name() == "DeleteTags" || target.action.starts_with("autoscaling:");
        // Frees the security group before EC2 has terminated the machine.
        if target.name() == "ModifyNetworkInterfaceAttribute" {
            return Self::Haste;
        }
        match deletes && !works {
            false => Self::Work,
            true if prepared.iter().any(|id| parameters.contains(id.as_str())) => Self::Retention,
            true => Self::CleanUp,
        }
    }
}

/// The exit code that a fault in a call must lead to; none where the program is killed.
pub(super) fn exit_code(call: &SurveyedCall, fault: Fault, home: &str) -> Option<i32> {
    match fault {
        Fault::Killed { .. } => None,
        // A refusal for good ends the stage; whatever else is repeated until it is done.
        Fault::Denied => Some(match call.purpose {
            Purpose::CleanUp => 9,
            Purpose::Retention | Purpose::Haste => 0,
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
