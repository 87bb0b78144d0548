//! The step types, one file or folder each. A new one is declared and registered here.

mod ansible;
mod chef;
mod expect;
mod files;
mod foreign;
mod reboot;
mod run;
mod script;
mod wait;

use ami_bake_core::plan::StepAction;

use crate::step_type::StepType;

/// The step type for an action.
pub(crate) fn step_type(action: &StepAction) -> &dyn StepType {
    match action {
        StepAction::Run(run) => run,
        StepAction::Script(script) => script,
        StepAction::Upload(upload) => upload,
        StepAction::Download(download) => download,
        StepAction::Ansible(ansible) => ansible,
        StepAction::Chef(chef) => chef,
        StepAction::Component(_) => &foreign::Foreign,
        StepAction::Reboot => &reboot::Reboot,
        StepAction::Wait(wait) => wait,
        StepAction::Expect(expectation) => expectation,
    }
}
