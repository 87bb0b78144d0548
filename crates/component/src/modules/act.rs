//! Dispatches a step to its module.

use ami_bake_core::output::OutputSink;
use ami_bake_core::{Error, Result};
use serde_json::Value;

use super::inputs::Inputs;
use super::{Attempt, document, execute, files, s3, system, web};
use crate::module::Action;
use crate::scope::{Outputs, Scope};

/// Runs a step's module with these inputs.
///
/// # Errors
/// When the module fails; its outputs until then are in `outputs`.
pub(crate) async fn act(
    attempt: &Attempt<'_>,
    scope: &Scope<'_>,
    inputs: &Value,
    outputs: &mut Outputs,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let single = Inputs::single(inputs);
    match attempt.step.module.action {
        Action::Assert => match &attempt.step.assertion {
            Some(condition) if scope.holds(condition, attempt.deadline).await? => Ok(()),
            _ => Err(Error::build("the assertion is false")),
        },
        Action::ExecuteBash => execute::bash(attempt, single, outputs, output).await,
        Action::ExecuteBinary => execute::binary(attempt, single, outputs, output).await,
        Action::ExecuteDocument => document::run_document(attempt, single, outputs, output).await,
        Action::Reboot => system::reboot(attempt, single).await,
        Action::UpdateOs => system::update(attempt, single, output).await,
        Action::S3Download => s3::download(attempt, &Inputs::all(inputs)).await,
        Action::S3Upload => s3::upload(attempt, &Inputs::all(inputs)).await,
        Action::WebDownload => web::download(attempt, &Inputs::all(inputs), outputs).await,
        Action::Windows => Err(Error::build(format!("`{}` needs Windows", attempt.step.module.name))),
        action => files::act(attempt, action, &Inputs::all(inputs), outputs, output).await,
    }
}
