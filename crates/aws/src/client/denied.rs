//! A missing permission: which action on which resource, and the policy statement that grants it.

use serde_json::{Value, json};

/// A request that was denied because a permission is missing.
#[derive(Debug, Clone)]
pub(super) struct Denied {
    action: String,
    resource: Option<String>,
    who: Option<String>,
    /// True when a policy denies the action explicitly, so that granting it elsewhere does not help.
    explicit: bool,
    encoded: Option<String>,
}

/// The text before the encoded message in EC2's answer.
const ENCODED: &str = "Encoded authorization failure message: ";

impl Denied {
    /// Parses the text of a refusal; `None` when `code` is about something else.
    pub(super) fn new(call: &str, code: &str, text: &str) -> Option<Self> {
        matches!(
            code,
            "UnauthorizedOperation"
                | "AccessDenied"
                | "AccessDeniedException"
                | "UnauthorizedAccess"
                | "ForbiddenException"
                | "Client.UnauthorizedOperation"
        )
        .then(|| Self {
            action: between(text, "not authorized to perform: ", " ").unwrap_or_else(|| match text {
                // Systems Manager's text for a secure parameter whose key may not be used; it does not name the key.
                text if text.contains("ciphertext refers to") => "kms:Decrypt".to_owned(),
                _ => format!("{}:{call}", service(call)),
            }),
            resource: between(text, "on resource: ", " ").filter(|resource| resource != "*"),
            who: between(text, "User: ", " "),
            explicit: text.contains("explicit deny"),
            encoded: text.split_once(ENCODED).map(|(_, encoded)| encoded.trim().to_owned()),
        })
    }

    /// Sets the resource (its ARN without `arn:` and partition) if AWS did not name one.
    pub(super) fn on(&mut self, call: &str, partition: &str, resource: &str) {
        if self.resource.is_none() && self.action == format!("{}:{call}", service(call)) {
            self.resource = Some(format!("arn:{partition}:{resource}"));
        }
    }

    /// The action that is missing.
    pub(super) fn action(&self) -> &str {
        &self.action
    }

    /// The encoded message, unless it was decoded already.
    pub(super) fn encoded(&self) -> Option<String> {
        self.encoded.clone()
    }

    /// Adds the message that STS decoded.
    pub(super) fn read(&mut self, message: &str) {
        let Ok(message) = serde_json::from_str::<Value>(message) else { return };
        self.encoded = None;
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let context = &message["context"];
        if let Some(action) = text(&context["action"]) {
            self.action = action;
        }
        self.resource = text(&context["resource"]).or(self.resource.take());
        self.who = text(&context["principal"]["arn"]).or(self.who.take());
        self.explicit |= message["explicitDeny"].as_bool().unwrap_or_default();
    }

    /// The denial as a clause: "the role may not ec2:RunInstances on arn:…".
    pub(super) fn in_words(&self) -> String {
        let who = self.who.as_deref().unwrap_or("the role");
        match &self.resource {
            Some(resource) => format!("{who} is not allowed {} on {resource}", self.action),
            None => format!("{who} is not allowed {}", self.action),
        }
    }

    /// The policy statement that grants the action.
    fn statement(&self) -> String {
        json!({
            "Effect": "Allow",
            "Action": self.action,
            "Resource": self.resource.as_deref().unwrap_or("*"),
        })
        .to_string()
    }

    /// Help for a denied request.
    pub(super) fn help(&self) -> String {
        if self.explicit {
            return format!(
                "An explicit deny for {} is in effect (an SCP, a permissions boundary, or a Deny statement): remove it there.",
                self.action
            );
        }
        format!("Add this statement to the role's policy: {}", self.statement())
    }

    /// AWS's text without the encoded message.
    pub(super) fn short(text: &str) -> String {
        text.split_once(ENCODED).map_or(text, |(before, _)| before).trim().to_owned()
    }
}

/// The IAM prefix of an API call that ami-bake makes.
pub(crate) fn service(call: &str) -> &'static str {
    match call {
        "GetObject" | "ListBucket" | "PutObject" => "s3",
        "GetParameter" | "PutParameter" => "ssm",
        "GetComponent" => "imagebuilder",
        call if call.contains("AutoScaling")
            || call.contains("LaunchConfiguration")
            || call.contains("InstanceRefresh")
            || call.contains("LoadBalancer")
            || call.contains("ScalingPolicy")
            || call.contains("ScheduledAction")
            || call.contains("ScheduledUpdateGroupAction")
            || call.contains("NotificationConfiguration")
            || matches!(
                call,
                "CreateOrUpdateTags"
                    | "DescribeLifecycleHooks"
                    | "DescribePolicies"
                    | "EnableMetricsCollection"
                    | "PutWarmPool"
                    | "ResumeProcesses"
                    | "SuspendProcesses"
            ) =>
        {
            "autoscaling"
        }
        "AssumeRole" | "DecodeAuthorizationMessage" | "GetCallerIdentity" => "sts",
        call if call.contains("Role") || call.contains("InstanceProfile") => "iam",
        _ => "ec2",
    }
}

/// The text between two marks, or to the end if the second is missing. A trailing full stop is removed.
fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(start)?;
    let found = rest.split_once(end).map_or(rest, |(found, _)| found);
    Some(found.trim_end_matches(['.', ',']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_code_is_no_missing_permission() {
        assert!(Denied::new("RunInstances", "InvalidParameterValue", "x").is_none());
    }

    #[test]
    fn the_statement_comes_from_the_call_when_nothing_else_is_known() {
        let denied = Denied::new("RunInstances", "UnauthorizedOperation", "You are not authorized.").unwrap();
        assert_eq!(denied.statement(), r#"{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*"}"#);
        assert_eq!(denied.in_words(), "the role is not allowed ec2:RunInstances");
    }

    #[test]
    fn newer_texts_name_action_and_resource() {
        let text = "User: arn:aws:sts::1:assumed-role/bake/s is not authorized to perform: iam:CreateRole on resource: \
                    arn:aws:iam::1:role/x because no identity-based policy allows the iam:CreateRole action";
        let denied = Denied::new("CreateRole", "AccessDenied", text).unwrap();
        assert_eq!(
            denied.in_words(),
            "arn:aws:sts::1:assumed-role/bake/s is not allowed iam:CreateRole on arn:aws:iam::1:role/x"
        );
        assert!(denied.help().contains(r#""Resource":"arn:aws:iam::1:role/x""#));
    }

    #[test]
    fn the_decoded_message_says_more() {
        let text = "You are not authorized to perform this operation. Encoded authorization failure message: abcDEF";
        let mut denied = Denied::new("RunInstances", "UnauthorizedOperation", text).unwrap();
        assert_eq!(denied.encoded().as_deref(), Some("abcDEF"));
        denied.read(
            r#"{"allowed":false,"explicitDeny":true,"context":{"principal":{"arn":"arn:aws:iam::1:user/u"},
                "action":"ec2:CreateTags","resource":"arn:aws:ec2:us-east-1:1:instance/*"}}"#,
        );
        assert!(denied.in_words().contains("not allowed ec2:CreateTags on"), "{}", denied.in_words());
        assert!(denied.help().contains("explicit deny"));
        assert!(!Denied::short(text).contains("abcDEF"));
    }
}
