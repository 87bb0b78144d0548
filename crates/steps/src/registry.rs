//! The table of the step types: a new one is a folder in this crate and a line here.

use ami_bake_core::plan::StepAction;

use crate::foreign::Foreign;
use crate::reboot::Reboot;
use crate::step_type::StepType;

/// The step type of an action.
pub(crate) fn step_type(action: &StepAction) -> &dyn StepType {
    match action {
        StepAction::Run(run) => run,
        StepAction::Script(script) => script,
        StepAction::Upload(upload) => upload,
        StepAction::Download(download) => download,
        StepAction::Ansible(ansible) => ansible,
        StepAction::Chef(chef) => chef,
        StepAction::Component(_) => &Foreign,
        StepAction::Reboot => &Reboot,
        StepAction::Wait(wait) => wait,
        StepAction::Expect(expectation) => expectation,
    }
}
