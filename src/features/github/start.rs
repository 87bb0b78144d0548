//! Decides whether this process is an action, and runs its main or post step.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::error::UNCLEAN;
use ami_bake_core::event::Failure;
use ami_bake_core::mask::Masker;
use ami_bake_core::version::Bump;
use ami_bake_core::{Error, Result};
use ami_bake_github::event::bump_of_commit;
use ami_bake_github::runner::{Annotation, Environment, Level};

use super::action::{Action, in_full};
use super::early_signals::EarlySignals;
use super::feedback::{CommentMode, last_words};
use super::fork::ForkRun;
use super::host::ActionHost;
use super::inputs::with_inputs;
use super::{annotate, inputs, post};
use crate::error;
use crate::platforms::Platforms;
use crate::program::Program;
use crate::runtime::block_on;
use crate::ui::Paint;

/// Name under which the program is the post step: the entrypoint of an action can't have arguments.
const POST: &str = "ami-bake-post";

/// Time limit for reading labels: GitHub answers within a second.
const LABELS_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a command line: the arguments after the program's name.
pub(in crate::features) type RunCommand = fn(&[String], &Program) -> Result<u8>;

/// Runs the action when the runner started one: without arguments, in a workflow, with the input `command`.
pub(in crate::features) fn run_action(
    surface: fn() -> clap::Command,
    run_command: RunCommand,
    platforms: Platforms,
    masker: &Arc<Masker>,
) -> Option<ExitCode> {
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
    let action = Arc::new(Action::new(environment, EarlySignals::listen(), Arc::clone(masker)));
    // The runner passes state only to the post step, so this recognizes it under any name.
    let result = if post || action.environment.state("main").is_some() {
        Ok(post::run(&action, platforms))
    } else {
        let program = Program { host: Arc::new(ActionHost::new(Arc::clone(&action))), platforms };
        run(&action, &program, &surface(), &|words| run_command(words, &program))
    };
    let code = result.unwrap_or_else(|failed| {
        let failure = with_inputs(&Failure::from(&failed));
        let rendered = error::failure(&failure, None, Paint { on: false });
        action.log.say(&rendered);
        action.log.annotate(&annotate::of_failure("ami-bake", &failure, action.manifest()));
        if !post {
            last_words(&action, &rendered);
        }
        failed.kind().exit_code()
    });
    action.log.finish();
    Some(ExitCode::from(code))
}

/// The main step.
fn run(
    action: &Arc<Action>,
    program: &Program,
    surface: &clap::Command,
    dispatch: &dyn Fn(&[String]) -> Result<u8>,
) -> Result<u8> {
    if let Some(token) = action.environment.input("token") {
        action.masker.add(token);
    }
    in_kubernetes(action)?;
    action.save("main", "true");
    validate(action)?;
    let command = inputs::command(surface, &action.environment)?;
    action.set_command(&command);
    action.save("command", &command);
    let fails = fails_when_unclean(action)?;
    let end = |code| if code == UNCLEAN && command != "sweep" && !fails { unclean(action) } else { code };
    if let Some(code) = (ForkRun { action, program, surface, dispatch }).run(&command)? {
        return Ok(end(code));
    }
    if command == "sweep" && action.environment.flag("yes")? != Some(true) {
        let text = "Only listing: nothing is deleted unless the input `yes` is \"true\".";
        action.log.annotate(&Annotation::new(Level::Notice, "sweep", text.to_owned()));
    }
    let mut line = inputs::line(surface, &command, &action.environment, &[])?;
    line.words.extend(bump(action, &command));
    // The action itself uses this input.
    let ignored: Vec<&str> = line.ignored.into_iter().filter(|name| *name != "against").collect();
    if !ignored.is_empty() {
        let inputs = if ignored.len() == 1 { "the input" } else { "the inputs" };
        action.log.say(&format!("`{command}` ignores {inputs} {}\n", ignored.join(", ")));
    }
    let code = dispatch(&line.words)?;
    if code != 0 && !action.is_summarised() {
        last_words(action, &action.findings());
    }
    Ok(end(code))
}

/// ARC in Kubernetes mode runs a container action in a pod of its own, whose files may not come back to the job.
///
/// # Errors
/// When the event is not there: nobody could say whose code this is.
fn in_kubernetes(action: &Action) -> Result<()> {
    const HELP: &str = "Use `ami-bake/ami-bake/setup` and `run: ami-bake …` there (docs/install.md).";
    if !action.environment.in_pod() {
        return Ok(());
    }
    let missing = action.environment.missing_files();
    if missing.contains(&"GITHUB_EVENT_PATH") {
        return Err(
            Error::preflight("the event of the workflow is not in the pod that runs this container action").help(HELP)
        );
    }
    let text = match missing.as_slice() {
        [] => "This container action runs in a Kubernetes pod. Outputs, job summary and the clean-up of the post step may not reach \
               the job."
            .to_owned(),
        missing => format!(
            "This container action runs in a Kubernetes pod without the runner's files ({}). Outputs, job summary and the clean-up \
             of the post step do not reach the job.",
            missing.join(", ")
        ),
    };
    action.log.annotate(&Annotation::new(Level::Warning, "kubernetes", format!("{text} {HELP}")));
    Ok(())
}

/// The input `on-unclean`: whether the step fails when only the clean-up is incomplete.
fn fails_when_unclean(action: &Action) -> Result<bool> {
    match action.environment.input("on-unclean") {
        None | Some("warn") => Ok(false),
        Some("fail") => Ok(true),
        Some(other) => {
            Err(Error::usage(format!("invalid value {other:?} for input `on-unclean`")).help("Use warn or fail."))
        }
    }
}

/// The images exist: the step does not fail because of resources that are left.
fn unclean(action: &Action) -> u8 {
    let text = "Done, but not clean: see the log for what is left. The post step tries to delete it again.";
    action.log.annotate(&Annotation::new(Level::Warning, "not clean", text.to_owned()));
    0
}

/// The value of `--bump` from the labels of the merged pull request: a push to the default branch has no labels of its
/// own.
fn bump(action: &Action, command: &str) -> Option<String> {
    let makes = ["bake", "plan", "matrix"].contains(&command) && action.environment.input("bump").is_none();
    let on_default = action.workflow.event == "push" && action.workflow.is_on_default_branch();
    let sha = action.workflow.sha.as_ref().filter(|_| makes && on_default)?;
    let labels = async {
        match action.api()? {
            Some(api) => tokio::time::timeout(LABELS_TIMEOUT, bump_of_commit(&api, sha)).await.unwrap_or(Ok(None)),
            None => Ok(None),
        }
    };
    let bump = block_on(labels).unwrap_or_else(|error| {
        // A token without `pull-requests: read` is not an error.
        action.log.say(&format!("Ignoring the labels of the merged pull request: {}\n", in_full(&error)));
        None
    })?;
    let part = match bump {
        Bump::Major => "major",
        Bump::Minor => "minor",
        Bump::Patch => "patch",
    };
    action.log.say(&format!("Raising the {part} version, because of the labels of the merged pull request\n"));
    Some(format!("--bump={part}"))
}

/// Validates inputs that are not translated to flags, before anything begins.
fn validate(action: &Action) -> Result<()> {
    for name in ["summary", "create-release", "dry-run", "force", "keep-on-failure", "yes"] {
        action.environment.flag(name)?;
    }
    CommentMode::of(&action.environment)?;
    if let Some(other) = action.environment.input("on-fork").filter(|value| !["check", "skip", "fail"].contains(value))
    {
        return Err(
            Error::usage(format!("invalid value {other:?} for input `on-fork`")).help("Use check, skip or fail.")
        );
    }
    let reviewed = action.environment.input("reviewed-sha");
    let is_id = |text: &str| [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match reviewed.filter(|reviewed| !is_id(reviewed)) {
        None => Ok(()),
        Some(other) => Err(Error::usage(format!("invalid value {other:?} for input `reviewed-sha`"))
            .help("Use the full SHA of a commit: a branch or a short SHA can mean another commit by now.")),
    }
}
