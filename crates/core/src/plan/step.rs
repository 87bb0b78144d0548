//! Steps as data: the settings that all step types share.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Inputs, Probe, StepAction};
use crate::route::Route;

/// The part of a bake in which a step runs; the names are Image Builder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Steps that make the image.
    Build,
    /// Steps that check the build machine before the capture.
    Validate,
    /// Steps that check a new machine booted from the image.
    Test,
}

impl Phase {
    /// The phase's key in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Validate => "validate",
            Self::Test => "test",
        }
    }
}

/// What to do after a failed step (as in Image Builder).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The bake of the image ends.
    #[default]
    Abort,
    /// The next steps run, and the bake fails at the end.
    Continue,
    /// The failure is reported, and the next steps run.
    Ignore,
}

/// A value of a step's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Plain text.
    Plain(String),
    /// Text that contains secrets, as its parts in order.
    Secret(Vec<SecretPart>),
}

/// A piece of a secret value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretPart {
    /// Literal text.
    Text(String),
    /// The value of the declared secret of this name, read from the run's secrets when the step runs.
    Name(String),
}

impl Value {
    /// The text with its secrets filled in.
    pub fn expose(&self, secrets: &BTreeMap<String, SecretString>) -> SecretString {
        match self {
            Self::Plain(text) => text.clone().into(),
            Self::Secret(parts) => parts
                .iter()
                .map(|part| match part {
                    SecretPart::Text(text) => text.as_str(),
                    SecretPart::Name(name) => secrets.get(name).map_or("", |secret| secret.expose_secret()),
                })
                .collect::<String>()
                .into(),
        }
    }
}

/// One step, with every expression evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Name of the step in messages: from the manifest, or derived from its settings.
    pub name: String,
    /// Location of the step in the manifest.
    pub route: Route,
    /// Step type and settings.
    pub action: StepAction,
    /// Environment variables, in the manifest's order.
    pub env: Vec<(String, Value)>,
    /// Time limit of one attempt. Default: the step type's own.
    pub timeout: Option<Duration>,
    /// Number of further attempts after a failure.
    pub retries: u32,
    /// What to do after a failure.
    pub on_failure: OnFailure,
    /// How long an image of the same digest may be reused, for steps whose result changes over time.
    pub cache_for: Option<Duration>,
    /// The local files that the step sends, with their hashes at the time the digest was computed.
    #[serde(skip)]
    pub inputs: Inputs,
}

impl Step {
    /// The port of the machine that it connects to, for `expect: {http: …}` and `expect: {port: …}`.
    pub fn port(&self) -> Option<u16> {
        let StepAction::Expect(expectation) = &self.action else { return None };
        match &expectation.probe {
            Probe::Http(http) => Some(http.port),
            Probe::Port { port, .. } => Some(*port),
            _ => None,
        }
    }

    /// The longest time that the step can take with all attempts, according to its time-outs.
    pub fn longest(&self) -> Duration {
        self.timeout.unwrap_or_default() * (self.retries + 1)
    }
}
