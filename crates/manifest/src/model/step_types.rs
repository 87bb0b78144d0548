//! The step types, one per file: their keys in the manifest, how they are lowered to the plan, and their local files. A
//! new one is declared and registered here.

mod ansible;
mod chef;
mod component;
mod download;
mod expect;
mod probes;
mod reboot;
mod run;
mod script;
mod step_type;
mod upload;
mod wait;

pub(crate) use step_type::StepContext;
pub use step_type::{FileKey, FileKind, StepSettings, StepType};

/// All step types, in the order of the reference.
pub const STEP_TYPES: [StepType; 10] = [
    StepType::of::<run::Run>(),
    StepType::of::<script::Script>(),
    StepType::of::<upload::Upload>(),
    StepType::of::<download::Download>(),
    StepType::of::<ansible::Ansible>(),
    StepType::of::<chef::Chef>(),
    StepType::of::<component::Component>(),
    StepType::of::<reboot::Reboot>(),
    StepType::of::<wait::Wait>(),
    StepType::of::<expect::Expectation>(),
];

/// The step type with this key.
pub fn step_type(key: &str) -> Option<&'static StepType> {
    static TABLE: [StepType; STEP_TYPES.len()] = STEP_TYPES;
    TABLE.iter().find(|known| known.key == key)
}
