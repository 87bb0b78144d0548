//! Steps as data: what every step has beside what it does.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Inputs, StepAction};
use crate::route::Route;

/// The part of a bake in which a step runs; Image Builder's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Makes the image.
    Build,
    /// Looks at the build machine before the capture.
    Validate,
    /// Looks at a fresh machine that booted the image.
    Test,
}

impl Phase {
    /// The manifest's key of it.
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
    /// The image's bake ends.
    #[default]
    Abort,
    /// The next steps run, the bake fails at the end.
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
    /// Text with secrets in it: `parts` are in order.
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
    /// The text with the values of its secrets in place.
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
    /// Its name in messages: the manifest's, or made from what it does.
    pub name: String,
    /// Location of the step in the manifest.
    pub route: Route,
    /// What the step does.
    pub action: StepAction,
    /// Environment, in the manifest's order.
    pub env: Vec<(String, Value)>,
    /// Limit for one attempt. Default: the step type's own.
    pub timeout: Option<Duration>,
    /// Further attempts after a failure.
    pub retries: u32,
    /// What to do after a failure.
    pub on_failure: OnFailure,
    /// How long an image of the same digest may be reused, for steps whose result changes by itself.
    pub cache_for: Option<Duration>,
    /// The local files that it sends, as they were when the digest was computed.
    #[serde(skip)]
    pub inputs: Inputs,
}

impl Step {
    /// The longest that it can take with all its attempts, as far as its time-outs say.
    pub fn longest(&self) -> Duration {
        self.timeout.unwrap_or_default() * (self.retries + 1)
    }
}
