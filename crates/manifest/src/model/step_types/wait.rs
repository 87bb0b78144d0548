//! `wait`: waits for a port, a file or a command.

use ami_bake_core::plan::{StepAction, WaitFor, WaitStep};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::DurationText;
use super::run::first_line;
use super::step_type::{Keyed, StepContext, StepSettings};

/// Waits until a port is open, a file exists or a command succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Wait {
    /// What to wait for.
    wait: WaitTarget,
    /// The time between two checks. Default: `1s`.
    interval: Option<DurationText>,
}

/// What to wait for: one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
struct WaitTarget {
    /// A TCP port on the machine.
    #[schemars(range(min = 1))]
    port: Option<u16>,
    /// The path of a file on the machine.
    file: Option<String>,
    /// A command that exits with status 0.
    command: Option<String>,
}

impl Keyed for Wait {
    const KEY: &'static str = "wait";
}

impl StepSettings for Wait {
    fn about(&self) -> String {
        match self.until() {
            Some(WaitFor::Port(port)) => format!("port {port}"),
            Some(WaitFor::File(path)) => path,
            Some(WaitFor::Command(command)) => first_line(&command),
            None => String::new(),
        }
    }

    fn lower(&self, _: &StepContext<'_>) -> Option<StepAction> {
        let interval = self.interval.as_ref().and_then(DurationText::duration);
        Some(StepAction::Wait(WaitStep { until: self.until()?, interval }))
    }
}

impl Wait {
    fn until(&self) -> Option<WaitFor> {
        let WaitTarget { port, file, command } = &self.wait;
        let file = file.clone().map(WaitFor::File);
        port.map(WaitFor::Port).or(file).or_else(|| command.clone().map(WaitFor::Command))
    }
}
