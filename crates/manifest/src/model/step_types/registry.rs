//! The table of the step types: a new one is a file in this folder and a line here.

use super::ansible::Ansible;
use super::chef::Chef;
use super::component::Component;
use super::download::Download;
use super::expect::Expectation;
use super::reboot::Reboot;
use super::run::Run;
use super::script::Script;
use super::step_type::StepType;
use super::upload::Upload;
use super::wait::Wait;

/// All step types, in the order of the reference.
pub const STEP_TYPES: [StepType; 10] = [
    StepType::of::<Run>(),
    StepType::of::<Script>(),
    StepType::of::<Upload>(),
    StepType::of::<Download>(),
    StepType::of::<Ansible>(),
    StepType::of::<Chef>(),
    StepType::of::<Component>(),
    StepType::of::<Reboot>(),
    StepType::of::<Wait>(),
    StepType::of::<Expectation>(),
];

/// The step type of a key.
pub fn step_type(key: &str) -> Option<&'static StepType> {
    static TABLE: [StepType; STEP_TYPES.len()] = STEP_TYPES;
    TABLE.iter().find(|known| known.key == key)
}
