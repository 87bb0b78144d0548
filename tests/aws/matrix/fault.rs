//! The faults, and the calls that they are injected into.

use std::fmt;

use serde_json::{Value, json};

/// A call of a run without faults that changes something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// Name of the action, such as `ec2:RunInstances`.
    pub(super) action: String,
    pub(super) region: String,
    /// Index of the call among the action's calls in this region, from zero.
    pub(super) nth: usize,
}

impl Target {
    /// The action without its service.
    pub(super) fn name(&self) -> &str {
        self.action.split_once(':').map_or(self.action.as_str(), |(_, name)| name)
    }

    /// The kind of resource that the call is about. The sample of the checks injects one kind of fault into each.
    pub(super) fn family(&self) -> &'static str {
        let (service, name) = self.action.split_once(':').unwrap_or_default();
        let about = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match service {
            "iam" => "role",
            "ssm" => "parameter",
            "autoscaling" => "group",
            _ if about(&["KeyPair", "SecurityGroup", "NetworkInterface"]) => "network",
            _ if about(&["LaunchTemplate"]) => "template",
            _ if about(&["Tags"]) => "tags",
            _ if about(&["Attribute", "ImageDe"]) => "attribute",
            _ if about(&["Snapshot"]) => "snapshot",
            _ if about(&["Image"]) => "image",
            _ if about(&["Instances"]) => "machine",
            _ => "other",
        }
    }

    fn rule(&self, kind: &str, more: &Value) -> Value {
        let mut rule =
            json!({"kind": kind, "action": self.action, "region": self.region, "skip": self.nth, "times": 1});
        for (name, value) in more.as_object().into_iter().flatten() {
            rule[name] = value.clone();
        }
        rule
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{} {}", self.action, self.nth + 1, self.region)
    }
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// An HTTP 500 without effect.
    ErrorBefore,
    /// The call takes effect and is answered with an HTTP 500.
    ErrorAfter,
    /// The call takes effect and the connection breaks.
    Dropped,
    /// Throttled three times.
    Throttled,
    /// Denied for lack of a permission, from this call on.
    Denied,
    /// No answer for 60 s of the program's time, and no effect.
    Silent,
    /// The program is killed while it waits for the answer; then the cleaner runs. `done` is whether the call took
    /// effect.
    Killed { done: bool, cleaner: Cleaner },
}

/// What cleans up after a killed program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cleaner {
    /// The post step of the action.
    Post,
    /// `ami-bake sweep MANIFEST --yes`.
    Sweep,
}

impl Fault {
    /// All faults, in the order of the table's columns.
    pub(super) const ALL: [Self; 10] = [
        Self::ErrorBefore,
        Self::ErrorAfter,
        Self::Dropped,
        Self::Throttled,
        Self::Denied,
        Self::Silent,
        Self::Killed { done: true, cleaner: Cleaner::Post },
        Self::Killed { done: false, cleaner: Cleaner::Post },
        Self::Killed { done: true, cleaner: Cleaner::Sweep },
        Self::Killed { done: false, cleaner: Cleaner::Sweep },
    ];

    /// Name of the column.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ErrorBefore => "500-before",
            Self::ErrorAfter => "500-after",
            Self::Dropped => "dropped",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Silent => "silent",
            Self::Killed { done: true, cleaner: Cleaner::Post } => "kill-done-post",
            Self::Killed { done: false, cleaner: Cleaner::Post } => "kill-undone-post",
            Self::Killed { done: true, cleaner: Cleaner::Sweep } => "kill-done-sweep",
            Self::Killed { done: false, cleaner: Cleaner::Sweep } => "kill-undone-sweep",
        }
    }

    /// The cloud's fault rule (tests/cloud/README.md).
    pub(super) fn rule(self, target: &Target) -> Value {
        let hang = json!({"seconds": 3600});
        match self {
            Self::ErrorBefore => {
                let error = json!({"code": "InternalError", "message": "An internal error has occurred", "http": 500});
                target.rule("error", &json!({ "error": error }))
            }
            Self::ErrorAfter => target.rule("lose-answer", &json!({"http": 500})),
            Self::Dropped => target.rule("lose-answer", &json!({})),
            Self::Throttled => target.rule("throttle", &json!({"times": 3})),
            Self::Denied => target.rule("deny", &json!({"times": null})),
            Self::Silent | Self::Killed { done: false, .. } => target.rule("hang", &hang),
            Self::Killed { done: true, .. } => target.rule("hold-answer", &json!({})),
        }
    }
}
