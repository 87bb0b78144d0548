//! What each action module does on a machine.

mod deliver;
mod encoding;
mod entry;
mod execute;
mod fetch;
mod files;
mod nested;
mod s3;
mod system;
mod web;

pub(crate) use encoding::Encoding;
pub(crate) use web::{checksum_tool, metadata};

use ami_bake_core::output::OutputSink;
use ami_bake_core::{Error, Result};
use serde_json::Value;

use crate::document::Step;
use crate::module::Action;
use crate::run::{Deadline, Machine, Outputs, Scope, Use};
use entry::Entry;

/// One turn of one attempt of a step.
pub(crate) struct Doing<'a> {
    pub(crate) machine: &'a Machine<'a>,
    pub(crate) wanted: &'a Use<'a>,
    pub(crate) step: &'a Step,
    pub(crate) deadline: Deadline,
    /// The manifest's own limit, which holds where the document sets none.
    pub(crate) outer: Deadline,
}

/// Does what the step says with these inputs.
///
/// # Errors
/// When it failed; what it put out until then is in `outputs`.
pub(crate) async fn act(
    doing: &Doing<'_>,
    scope: &Scope<'_>,
    inputs: &Value,
    outputs: &mut Outputs,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let single = Entry::single(inputs);
    match doing.step.module.action {
        Action::Assert => match &doing.step.assertion {
            Some(condition) if scope.holds(condition, doing.deadline).await? => Ok(()),
            _ => Err(Error::build("what it asserts is false")),
        },
        Action::ExecuteBash => execute::bash(doing, single, outputs, output).await,
        Action::ExecuteBinary => execute::binary(doing, single, outputs, output).await,
        Action::ExecuteDocument => nested::run_document(doing, single, outputs, output).await,
        Action::Reboot => system::reboot(doing, single).await,
        Action::UpdateOs => system::update(doing, single, output).await,
        Action::S3Download => s3::download(doing, &Entry::all(inputs)).await,
        Action::S3Upload => s3::upload(doing, &Entry::all(inputs)).await,
        Action::WebDownload => web::download(doing, &Entry::all(inputs), outputs).await,
        Action::Windows => Err(Error::build(format!("`{}` needs Windows", doing.step.module.name))),
        action => files::act(doing, action, &Entry::all(inputs), outputs, output).await,
    }
}
