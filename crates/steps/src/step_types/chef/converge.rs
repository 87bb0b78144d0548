//! Sends cookbooks and other folders to the machine, and runs the tool until it is done.

use std::path::Path;

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::{ChefStep, GIT_FOLDER, Step, UploadStep};
use ami_bake_core::provision::ConnectedMachine;
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};
use async_trait::async_trait;
use tokio::time::Instant;

use super::super::files::upload;
use super::configuration::{FOLDERS, command, node, solo};
use super::exit_status::{self, ExitMeaning};
use crate::shell::{Interpreter, Script, Tail, ask, ask_with, ended};
use crate::step_type::StepType;

/// Folders of the programs of Chef and Cinc, in addition to the PATH.
const PLACES: &str = "/usr/bin:/usr/local/bin:/opt/chef/bin:/opt/cinc/bin";
/// Creates a folder that only root can enter, deleted afterwards. The first choice survives a restart.
const FOLDER: &str =
    "for t in /var/tmp /tmp /run; do mktemp -d \"$t/.ami-bake.XXXXXXXX\" 2>/dev/null && exit 0; done; exit 1";
/// Exit statuses about the license: not accepted (license-acceptance), not entitled, not set (chef-licensing).
const LICENCE: [i32; 3] = [172, 173, 174];

#[async_trait]
impl StepType for ChefStep {
    async fn apply(
        &self,
        run: &Run,
        on: &ConnectedMachine<'_>,
        step: &Step,
        output: &mut dyn OutputSink,
    ) -> Result<()> {
        chef(run, on, step, self, output).await
    }
}

/// Sends the cookbooks and runs the tool on them.
///
/// # Errors
/// When the machine does not have the tool, or it did not exit with 0.
async fn chef(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    chef: &ChefStep,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let other = if chef.tool == "chef-solo" { "cinc-solo" } else { "chef-solo" };
    let look =
        format!("PATH=$PATH:{PLACES}; for t in {} {other}; do command -v \"$t\" || echo; done", quote(&chef.tool));
    let found = ask(run, on, "look for Chef", &look).await?.text("look for Chef")?;
    let mut found = found.lines().map(str::trim);
    let program = found.next().unwrap_or_default();
    if program.is_empty() {
        let there = found.next().is_some_and(|other| !other.is_empty());
        return Err(missing(step, &chef.tool, other, there));
    }
    let folder = ask(run, on, "create a folder for Chef", FOLDER).await?.text("create a folder for Chef")?;
    let folder = folder.trim();
    let done = converge(run, on, step, chef, program, folder, output).await;
    let removed = ask(run, on, "remove Chef's folder", &format!("rm -rf {}", quote(folder))).await;
    done.and(removed?.text("remove Chef's folder").map(drop))
}

fn missing(step: &Step, tool: &str, other: &str, there: bool) -> Error {
    let name = &step.name;
    let error = if there {
        Error::build(format!("step `{name}`: the machine has no {tool}, but {other}"))
            .help(format!("Write `chef: {other}`: both run the same cookbooks."))
    } else {
        Error::build(format!("step `{name}`: the machine has no {tool}")).help(
            "The step does not install Chef: install Chef or Cinc in an earlier `run` step, or start from an image that has it.",
        )
    };
    error.at(step.route.key("chef"))
}

async fn converge(
    run: &Run,
    on: &ConnectedMachine<'_>,
    step: &Step,
    chef: &ChefStep,
    program: &str,
    folder: &str,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let deadline = step.timeout.map(|limit| Instant::now() + limit);
    let mut paths = Vec::new();
    for (index, from) in chef.cookbooks.iter().enumerate() {
        let to = format!("{folder}/cookbooks-{index}");
        send(run, on, step, from, &to).await?;
        paths.push(to);
    }
    let folders = [&chef.roles, &chef.data_bags, &chef.environments];
    for (from, (_, name)) in folders.into_iter().zip(FOLDERS) {
        if let Some(from) = from {
            send(run, on, step, from, &format!("{folder}/{name}")).await?;
        }
    }
    let write = format!(
        "cd {} && cat >attributes.json <&5 && printf %s {} >solo.rb",
        quote(folder),
        quote(&solo(folder, &paths))
    );
    let node = node(&chef.run_list, &chef.attributes);
    ask_with(run, on, "write Chef's configuration", &write, node.as_bytes())
        .await?
        .text("write Chef's configuration")?;

    let text = command(program, folder, chef.environment.as_deref());
    for round in 1.. {
        let mut tail = Tail::new(&mut *output);
        let before = exit_status::id(run, on).await?;
        let mut script = Script::text(&text, Interpreter::of(Some("sh -eu"))?);
        script.timeout = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let exit = script.execute(run, on, step, &mut tail).await?;
        let exit = match (exit, step.timeout) {
            (Exit::TimedOut(_), Some(limit)) => Exit::TimedOut(limit),
            (exit, _) => exit,
        };
        let next = exit_status::next(&exit);
        if next == ExitMeaning::Nothing || round == exit_status::ROUNDS {
            return failure(run, step, &chef.tool, &exit, next, &tail);
        }
        if next != ExitMeaning::Again && !exit_status::boot(run, on, step, next, &before, deadline).await? {
            return failure(run, step, &chef.tool, &exit, next, &tail);
        }
        run.progress(match next {
            ExitMeaning::Again => format!("{} has updated itself: running it again", chef.tool),
            _ => format!("Restarted the machine for {}: running it again", chef.tool),
        });
    }
    Ok(())
}

/// The error for the end of the last round.
fn failure(run: &Run, step: &Step, tool: &str, exit: &Exit, next: ExitMeaning, tail: &Tail<'_>) -> Result<()> {
    if exit.success() {
        return Ok(());
    }
    let error = match exit {
        Exit::Status(status) if LICENCE.contains(status) => {
            let message =
                format!("step `{}`: {tool} exited with status {status}: its license is not accepted", step.name);
            let error = Error::build(message).help(
                "To accept it, set `env: {CHEF_LICENSE: accept}`. Cinc, the free distribution, needs no license: `chef: cinc-solo`.",
            );
            match tail.last_lines(run) {
                Some(words) => error.because(words),
                None => error,
            }
        }
        Exit::Status(status) if next != ExitMeaning::Nothing => {
            let message = format!(
                "step `{}`: {tool} asked to be run again for the {}th time (exit status {status})",
                step.name,
                exit_status::ROUNDS
            );
            Error::build(message).help(
                "A recipe that restarts the machine must not do so every time: give its `reboot` resource a `not_if`.",
            )
        }
        exit => ended(step, tool, exit, tail.last_lines(run)),
    };
    Err(error.at(step.route.clone()))
}

/// Sends the content of a folder without `.git`, which is not in the digest either.
async fn send(run: &Run, on: &ConnectedMachine<'_>, step: &Step, from: &Path, to: &str) -> Result<()> {
    let upload_step = UploadStep {
        from: from.to_owned(),
        contents: true,
        to: to.to_owned(),
        exclude: vec![GIT_FOLDER.to_owned()],
        owner: None,
        mode: None,
        follow_links: false,
    };
    upload(run, on, step, &upload_step).await
}
