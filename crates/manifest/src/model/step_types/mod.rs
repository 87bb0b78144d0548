//! The step types, one a file: the keys that each takes in the manifest, and the plan that they become.

mod ansible;
mod chef;
mod component;
mod download;
mod expect;
mod probes;
mod reboot;
mod registry;
mod run;
mod script;
mod step_type;
mod upload;
mod wait;

pub use registry::{STEP_TYPES, step_type};
pub(crate) use step_type::StepContext;
pub use step_type::{FileKey, FileKind, StepSettings, StepType};
