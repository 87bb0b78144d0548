//! Whether this process is an action, and what it does then.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ami_bake_core::engine::VersionContext;
use ami_bake_core::version::Bump;
use ami_bake_core::{Error, ErrorKind, Result};
use ami_bake_github::event::bump_of_commit;
use ami_bake_github::runner::Environment;

use super::current::in_full;
use super::{Action, fork, inputs, post};
use crate::ui::Paint;
use crate::{cli, error, signals};

/// The program's other name, under which it is the post step: an entrypoint of an action is one word.
const POST: &str = "ami-bake-post";

/// GitHub answers within a second; a bake does not wait for its troubles to end.
const ANSWER: Duration = Duration::from_secs(10);

/// Runs the action where the runner started one: without arguments, in a workflow, with the input `command`.
pub(crate) fn main() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let post = Path::new(&name).file_name().is_some_and(|name| name == POST);
    if arguments.next().is_some() {
        return None;
    }
    let environment = Environment::of_process();
    if !(environment.is_action() || post && environment.in_workflow()) {
        return None;
    }
    signals::guard();
    let action = Action::start(environment);
    // State is only given to the post step, so that it is one under any name.
    let result = if post || action.environment.state("main").is_some() { Ok(post::run(action)) } else { run(action) };
    let code = result.unwrap_or_else(|failed| {
        let rendered = error::render(&failed, Paint { on: false });
        action.log.say(&rendered);
        action.error_summary(&rendered);
        action.error(&failed);
        failed.kind().exit_code()
    });
    action.log.finish();
    Some(ExitCode::from(code))
}

/// The main step.
fn run(action: &'static Action) -> Result<u8> {
    if let Some(token) = action.environment.input("token") {
        action.log.mask(token);
    }
    action.save("main", "true");
    let command = inputs::command(&action.environment)?;
    judge(action, &command)?;
    if let Some(code) = fork::run(action, &command)? {
        return Ok(code);
    }
    let mut line = inputs::line(&command, &action.environment, &[])?;
    line.words.extend(bump(action, &command));
    // The comparison of packages is made by the action itself.
    let unused: Vec<&str> = line.unused.into_iter().filter(|name| *name != "against").collect();
    if !unused.is_empty() {
        action.log.say(&format!("`{command}` has no use for the input {}.\n", unused.join(", ")));
    }
    cli::dispatch(&line.words)
}

/// What the labels of the pull request say that was merged: a push to the default branch has no labels of its own.
fn bump(action: &'static Action, command: &str) -> Option<String> {
    let makes = ["bake", "plan", "matrix"].contains(&command) && action.environment.input("bump").is_none();
    let on_default = action.workflow.event == "push" && action.workflow.context == VersionContext::Default;
    let sha = action.workflow.sha.as_ref().filter(|_| makes && on_default)?;
    let asked = async {
        let api = action.api()?;
        match api {
            Some(api) => tokio::time::timeout(ANSWER, bump_of_commit(&api, sha)).await.unwrap_or(Ok(None)),
            None => Ok(None),
        }
    };
    let bump = cli::block_on(asked).unwrap_or_else(|error| {
        // A token without `pull-requests: read` is no mistake.
        action.log.say(&format!("Labels are left aside: {}\n", in_full(&error)));
        None
    })?;
    let part = match bump {
        Bump::Major => "major",
        Bump::Minor => "minor",
        Bump::Patch => "patch",
    };
    action.log.say(&format!("The merged pull request is labelled {part}.\n"));
    Some(format!("--bump={part}"))
}

/// What is wrong with the inputs that no flag judges, before anything begins.
fn judge(action: &Action, command: &str) -> Result<()> {
    for name in ["summary", "dry-run", "force", "keep-on-failure"] {
        action.environment.flag(name)?;
    }
    // These act on a manifest, which such an event may have from anybody, with all that the repository may do.
    let harmless = ["check", "report", "images", "sweep", "schema", "policy"];
    if action.workflow.is_target() && !harmless.contains(&command) {
        return Err(Error::new(
            ErrorKind::Preflight,
            format!("`{command}` does not run under pull_request_target: it would carry out a stranger's manifest with this repository's rights"),
        )
        .help(
            "Bake under `pull_request`, where a fork's run has no rights, and write the comment from a workflow on \
             `workflow_run` with `command: report`.",
        ));
    }
    Ok(())
}
