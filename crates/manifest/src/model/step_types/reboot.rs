//! `reboot`: restarts the machine.

use std::borrow::Cow;

use ami_bake_core::plan::StepAction;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::step_type::{Keyed, StepContext, StepSettings};

/// Reboots the machine and waits until it is back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Reboot {
    /// Must be `true`.
    #[allow(dead_code, reason = "the key alone makes the step")]
    reboot: True,
}

/// The value `true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
struct True(#[allow(dead_code, reason = "the schema allows no other value")] bool);

impl JsonSchema for True {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "True".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean", "const": true })
    }
}

impl Keyed for Reboot {
    const KEY: &'static str = "reboot";
}

impl StepSettings for Reboot {
    fn about(&self) -> String {
        String::new()
    }

    fn lower(&self, _: &StepContext<'_>) -> Option<StepAction> {
        Some(StepAction::Reboot)
    }
}
