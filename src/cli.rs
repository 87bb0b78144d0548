//! The command line: defines the commands and dispatches to them.

use std::process::ExitCode;

use ami_bake_core::{Error, ErrorKind, Result};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{CommandFactory, Parser, Subcommand};

use crate::commands::{
    bake, check, completions, component, fmt, images, import, init, matrix, plan, publish, schema, sweep, test,
};
use crate::features;
use crate::out::own;
use crate::program::Program;
use crate::runtime::block_on;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

/// Build, test and publish machine images from a manifest
///
/// ami-bake reads a manifest (bake.yml), launches a machine from a source image, runs the manifest's steps on it,
/// captures an image, launches a fresh machine from that image, runs the tests there, and registers the image under a
/// version and a name. Temporary resources are always deleted, also after a failure or Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "ami-bake", version, styles = STYLES, max_term_width = 100, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
struct Cli {
    /// Whether a step of a workflow writes outputs, job summary, annotations and comment, as the action does
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    #[allow(dead_code, reason = "read before the command line is parsed: it decides how errors in it are shown")]
    github: GithubFeedback,

    #[command(subcommand)]
    command: Command,
}

/// When a step of a workflow writes what the action writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum GithubFeedback {
    /// In a step of a workflow
    Auto,
    /// Never
    Off,
}

const AFTER_HELP: &str = "\
To get started, run `ami-bake init`, then `ami-bake plan` and `ami-bake bake`.
Run `ami-bake help COMMAND` for details and examples.";

const AFTER_LONG_HELP: &str = "\
Getting started:
  ami-bake init                     write a commented bake.yml
  ami-bake check                    validate it, without credentials
  ami-bake bake --platform local    try it on this machine
  ami-bake plan                     show what a bake would do
  ami-bake bake                     do it

Exit codes:
  0 success  1 internal error  2 usage error  3 invalid manifest  4 preflight check failed, nothing was built
  5 build failed  6 test failed  7 publish failed  8 deploy failed
  9 done, but a temporary resource could not be deleted, or the report could not be written
  130 cancelled
  With several images: the lowest code of 4 or more.

Environment:
  AMI_BAKE_VAR_name   value for the variable `name` of the manifest
  NO_COLOR            no colors and no progress lines
  AWS_*               credentials, region and endpoints, as in other AWS tools
  XDG_STATE_HOME      folder for the ledger and the local images. Default: ~/.local/state";

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Import(import::Args),
    #[command(visible_alias = "validate")]
    Check(check::Args),
    Fmt(fmt::Args),
    Plan(plan::Args),
    Matrix(matrix::Args),
    #[command(visible_alias = "build")]
    Bake(bake::Args),
    Publish(publish::Args),
    Deploy(publish::DeployArgs),
    Promote(publish::PromoteArgs),
    Test(test::Args),
    Component(component::Args),
    Images(Box<images::Args>),
    Sweep(sweep::Args),
    #[command(flatten)]
    Feature(features::Command),
    Schema(schema::Args),
    Completions(completions::Args),
}

/// The command line as a clap command: for completions, the action's inputs and the reference.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command line of this process and returns the exit code.
pub(crate) fn run(program: &Program) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let (rendered, host) = (error.render(), program.host.as_ref());
            // Help and version are not errors, and contain no foreign text.
            if !error.use_stderr() {
                let coloured = host.ui().paint_data.on;
                host.data(&if coloured { own(&rendered.ansi().to_string()) } else { rendered.to_string() });
                return ExitCode::SUCCESS;
            }
            let text = without_tip(&rendered.to_string());
            let word = "error:";
            let what = text.strip_prefix(word).unwrap_or(&text);
            host.say(&format!("{}{what}", host.ui().paint.bad(word)));
            return ExitCode::from(ErrorKind::Usage.exit_code());
        }
    };
    let result = cli.command.run(program);
    program.host.ended(&result);
    ExitCode::from(result.unwrap_or_else(|error| error.kind().exit_code()))
}

/// Runs the command line that an action's inputs were translated to: the arguments after the program's name.
///
/// # Errors
/// When the arguments are invalid, and whatever the command fails with.
pub(crate) fn run_words(words: &[String], program: &Program) -> Result<u8> {
    let words = std::iter::once("ami-bake").chain(words.iter().map(String::as_str));
    let cli = Cli::try_parse_from(words).map_err(|error| {
        let text = without_tip(&error.render().to_string());
        let text = text.trim().trim_start_matches("error: ");
        let (what, rest) = text.split_once('\n').unwrap_or((text, ""));
        let error = Error::usage(what);
        let hint = "Inputs are passed on as flags of the same name.";
        match rest.split("Usage:").next().map(str::trim).filter(|rest| !rest.is_empty()) {
            Some(rest) => error.help(format!("{rest}\n{hint}")),
            None => error.help(hint),
        }
    })?;
    cli.command.run(program)
}

/// The message of clap without its advice to pass an unknown option after `--`: no argument of the program begins with a dash.
fn without_tip(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("tip: to pass ") {
            // The blank line before it.
            lines.pop_if(|line| line.is_empty());
        } else {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

impl Command {
    fn run(self, program: &Program) -> Result<u8> {
        match self {
            Self::Init(args) => init::run(&args, program),
            Self::Import(args) => import::run(&args, program),
            Self::Check(args) => check::run(&args, program),
            Self::Fmt(args) => fmt::run(&args, program),
            Self::Schema(args) => Ok(schema::run(&args, program)),
            Self::Completions(args) => Ok(completions::run(&args, &mut command(), program)),
            Self::Plan(args) => block_on(plan::run(args, program)),
            Self::Matrix(args) => block_on(matrix::run(args, program)),
            Self::Bake(args) => block_on(bake::run(args, program)),
            Self::Publish(args) => block_on(publish::run(args, program)),
            Self::Deploy(args) => block_on(publish::deploy(args, program)),
            Self::Promote(args) => block_on(publish::promote(args, program)),
            Self::Test(args) => block_on(test::run(args, program)),
            Self::Component(args) => block_on(component::run(args, program)),
            Self::Images(args) => block_on(images::run(*args, program)),
            Self::Sweep(args) => block_on(sweep::run(args, program)),
            Self::Feature(command) => command.run(program),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
