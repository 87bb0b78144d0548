//! One statement of a policy.

use ami_bake_core::tags;
use serde_json::{Map, Value, json};

/// Allows actions on resources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statement {
    sid: &'static str,
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Map<String, Value>,
}

impl Statement {
    /// Allows these actions on these resources; `sid` consists of letters and digits.
    pub(super) fn new(
        sid: &'static str,
        actions: impl IntoIterator<Item = impl Into<String>>,
        resources: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut actions: Vec<String> = actions.into_iter().map(Into::into).collect();
        actions.sort();
        actions.dedup();
        let mut resources: Vec<String> = resources.into_iter().collect();
        resources.sort();
        resources.dedup();
        Self { sid, actions, resources, condition: Map::new() }
    }

    /// Allows these actions on all resources: they support no resource-level permissions, or only read.
    pub(crate) fn anywhere(sid: &'static str, actions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new(sid, actions, ["*".to_owned()])
    }

    /// Restricts it to calls that tag the new resource with a run.
    pub(super) fn creating(self) -> Self {
        self.when("Null", &format!("aws:RequestTag/{}", tags::RUN), json!("false"))
    }

    /// Restricts it to resources that a run created.
    pub(super) fn of_a_run(self) -> Self {
        self.when("Null", &format!("aws:ResourceTag/{}", tags::RUN), json!("false"))
    }

    /// Adds a condition.
    pub(super) fn when(mut self, operator: &str, key: &str, value: Value) -> Self {
        let operators = self.condition.entry(operator.to_owned()).or_insert_with(|| json!({}));
        operators[key] = value;
        self
    }

    /// The allowed actions.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(String::as_str).filter(|_| !self.resources.is_empty())
    }

    /// True when only AWS itself may use the actions, on behalf of the role.
    pub(crate) fn is_by_aws(&self) -> bool {
        self.condition.values().any(|keys| keys.get("aws:CalledVia").is_some())
    }

    /// True when it allows nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.actions.is_empty() || self.resources.is_empty()
    }

    pub(super) fn into_value(self) -> Value {
        let list = |mut values: Vec<String>| match values.len() {
            1 => json!(values.remove(0)),
            _ => json!(values),
        };
        let mut value =
            json!({"Sid": self.sid, "Effect": "Allow", "Action": list(self.actions), "Resource": list(self.resources)});
        if !self.condition.is_empty() {
            value["Condition"] = Value::Object(self.condition);
        }
        value
    }
}
