//! Turns the end of a playbook into an error that names the task.

use std::fmt;
use std::path::Path;

use ami_bake_core::communicator::Exit;
use ami_bake_core::output::sanitize;
use ami_bake_core::plan::Step;
use ami_bake_core::{Error, Run};

use super::message::FailedTask;
use super::serve::PlaybookReport;
use crate::shell::{LastLines, ended};
use crate::text::excerpt;

/// Maximum characters of a module's output in the message; the rest is in its cause.
const WIDTH: usize = 200;
/// Help for a failure without further information.
const LOOK: &str = "See its output above. `--keep-on-failure` keeps the machine running so that you can look at it; `args: [-vvv]` prints more.";
/// Maximum lines of a module's output in the cause.
const LINES: usize = 10;

/// The error of a playbook; `None` if it succeeded.
pub(super) fn of(
    run: &Run,
    step: &Step,
    folder: &Path,
    exit: &Exit,
    report: &PlaybookReport,
    words: Option<LastLines>,
) -> Option<Error> {
    let name = &step.name;
    if exit.success() {
        if report.hosts.is_none_or(|hosts| hosts > 0) {
            return None;
        }
        return Some(
            Error::build(format!("step `{name}`: no play of the playbook matched this machine"))
                .help("Write `hosts: all`, or list the groups of its plays under `groups`.")
                .at(step.route.key("groups")),
        );
    }
    // The last failed task ended the play; those rescued before did not.
    let Some(failed) = report.failed.last().filter(|_| matches!(exit, Exit::Status(_))) else {
        let unresolved =
            words.as_ref().is_some_and(|words| words.to_string().contains("couldn't resolve module/action"));
        let error = ended(step, "ansible-playbook", exit, words);
        return Some(if unresolved {
            error.help("Modules that are not part of ansible-core come with a collection: list it in a file and set `requirements` to that file.")
        } else {
            error
        });
    };
    let clean = |text: &str| run.masker().mask(&sanitize(text));
    let lines: Vec<String> = failed.said.lines().map(clean).filter(|line| !line.trim().is_empty()).collect();
    let first = lines.first().map(|line| format!(": {}", excerpt(line, WIDTH))).unwrap_or_default();
    let what = if failed.unreachable { "lost the connection to the machine" } else { "failed" };
    let message = format!("step `{name}`: task `{}` {what}{}{first}", clean(&failed.task), place(failed, folder));
    let error = Error::build(message).help(help(failed));
    Some(if lines.len() > 1 { error.because(ModuleOutput(lines)) } else { error })
}

/// Help for the failure of a task.
fn help(failed: &FailedTask) -> &'static str {
    let said = failed.said.to_lowercase();
    if failed.action.rsplit('.').next() == Some("synchronize") {
        return "It runs rsync over its own SSH login, which a bake does not have: use the module `copy`, or a step `upload`.";
    }
    if said.contains("python") && (said.contains("not found") || said.contains("no such file")) {
        return "The machine has no Python, which Ansible's modules need: install it in an earlier `run` step, or with a `raw` task in a play without `gather_facts`.";
    }
    LOOK
}

/// The location ` (FILE:LINE)`; the file is relative to the folder if possible.
fn place(failed: &FailedTask, folder: &Path) -> String {
    if failed.place.is_empty() {
        return String::new();
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let path = Path::new(&failed.place);
    format!(" ({})", sanitize(&path.strip_prefix(folder).unwrap_or(path).display().to_string()))
}

/// The output of a module.
#[derive(Debug)]
struct ModuleOutput(Vec<String>);

impl fmt::Display for ModuleOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = &self.0[self.0.len().saturating_sub(LINES)..];
        write!(f, "its output:\n  {}", last.join("\n  "))
    }
}

impl std::error::Error for ModuleOutput {}
