//! The surface of the command line: verbs, what their flags have in common, and where a verb goes.

use std::path::PathBuf;
use std::process::ExitCode;

use ami_bake_core::{Error, ErrorKind, Result};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{CommandFactory, Parser, Subcommand};

#[cfg(feature = "aws")]
use crate::commands::policy;
#[cfg(feature = "github")]
use crate::commands::report;
use crate::commands::{
    bake, check, completions, component, images, import, init, matrix, plan, publish, schema, sweep, test,
};
use crate::error;
use crate::ui::Ui;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

/// Bake machine images the way people ship containers
///
/// ami-bake reads a manifest (bake.yml), starts a machine from a source image, runs the manifest's steps on it,
/// captures it, boots the result on a fresh machine, tests it there, and gives it a version and a name. What it made on
/// the way is gone afterwards, whatever happens.
#[derive(Debug, Parser)]
#[command(name = "ami-bake", version, styles = STYLES, max_term_width = 100, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Start with `ami-bake init`, look with `ami-bake plan`, then `ami-bake bake`.
`ami-bake help COMMAND` tells more about each, with examples.";

const AFTER_LONG_HELP: &str = "\
First steps:
  ami-bake init                     write a commented bake.yml
  ami-bake check                    find everything that is wrong with it, without a cloud
  ami-bake bake --platform local    try it on this machine
  ami-bake plan                     see what a bake would do
  ami-bake bake                     do it

Exit codes:
  0 done  1 internal error  2 wrong use  3 manifest invalid  4 permission or version refused, nothing was built
  5 build failed  6 test failed  7 publish failed  8 deploy failed  130 cancelled
  With several images: the lowest code that is 4 or more.

Environment:
  AMI_BAKE_VAR_name   a value for the variable `name` of the manifest
  NO_COLOR            no colours, no moving lines
  AWS_*               credentials, region and endpoints, as every AWS tool reads them
  XDG_STATE_HOME      where the ledger and the local images are (default ~/.local/state)";

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Import(import::Args),
    Check(check::Args),
    Plan(plan::Args),
    Matrix(matrix::Args),
    #[cfg(feature = "aws")]
    Policy(policy::Args),
    Bake(bake::Args),
    Publish(publish::Args),
    Deploy(publish::DeployArgs),
    Promote(publish::PromoteArgs),
    Test(test::Args),
    Component(component::Args),
    Images(images::Args),
    Sweep(sweep::Args),
    #[cfg(feature = "github")]
    Report(report::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

/// Which manifest, and what is filled into it.
#[derive(Debug, clap::Args)]
pub(crate) struct ManifestArgs {
    /// The manifest
    ///
    /// Without it: bake.yml in the working directory, else .github/bake.yml.
    pub(crate) manifest: Option<PathBuf>,

    /// Only this image and what it is built on: IMAGE, or one variant of it by IMAGE-VARIANT; may be repeated
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Vec<String>,

    /// Bake on this platform instead of the manifest's: aws, docker or local
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,

    /// Merge this entry of the manifest's `environments` over it
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,

    /// Give a variable of the manifest a value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,

    /// Read variables from a YAML or JSON file; may be repeated, the last one wins
    #[arg(long, value_name = "FILE")]
    pub(crate) var_file: Vec<PathBuf>,
}

/// Where the platform is.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PlaceArgs {
    /// The AWS region instead of the manifest's
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// The folder of the local platform's images
    ///
    /// Without it: ami-bake/store below $XDG_STATE_HOME, else below ~/.local/state.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// As whom AWS is asked.
#[derive(Debug, Clone, Default, clap::Args, serde::Serialize, serde::Deserialize)]
pub(crate) struct IdentityArgs {
    /// The AWS role to assume instead of the manifest's; given again, each is assumed from the one before
    ///
    /// In a workflow with `id-token: write` the first is assumed with the workflow's own token. AWS_ROLE_ARN does the same.
    #[arg(long, value_name = "ARN")]
    pub(crate) role: Vec<String>,

    /// The audience of the workflow's token, where the provider in IAM expects another than sts.amazonaws.com
    #[arg(long, value_name = "TEXT")]
    pub(crate) audience: Option<String>,

    /// How CloudTrail names the session
    #[arg(long, value_name = "NAME")]
    pub(crate) session_name: Option<String>,

    /// How long a session of the role lasts, from 900 to what the role allows; it is renewed before its end
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(900..=43200))]
    pub(crate) role_duration: Option<u64>,
}

/// `NAME=VALUE`; the value may hold further `=`.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as nginx=1.24".to_owned()),
    }
}

/// The surface, for the reference, completions and tests.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Reads the command line, does what it says, and answers the exit code.
pub(crate) fn main() -> ExitCode {
    #[cfg(feature = "github")]
    if let Some(code) = crate::action::main() {
        return code;
    }
    let ui = Ui::detect();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; everything else is a wrong use. clap writes each where it belongs.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { ErrorKind::Usage.exit_code() } else { 0 });
        }
    };
    let code = run(cli.command, ui).unwrap_or_else(|error| {
        ui.say(&error::render(&error, ui.paint));
        error.kind().exit_code()
    });
    ExitCode::from(code)
}

/// Does what these words say, the program's name left out.
///
/// # Errors
/// When they are no command line, and what the command fails with.
#[cfg(feature = "github")]
pub(crate) fn dispatch(words: &[String]) -> Result<u8> {
    let words = std::iter::once("ami-bake").chain(words.iter().map(String::as_str));
    let cli = Cli::try_parse_from(words).map_err(|error| {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        let (what, rest) = text.split_once('\n').unwrap_or((text, ""));
        let error = Error::usage(what);
        let hint = "An input becomes the flag of its name.";
        match rest.split("Usage:").next().map(str::trim).filter(|rest| !rest.is_empty()) {
            Some(rest) => error.help(format!("{rest}\n{hint}")),
            None => error.help(hint),
        }
    })?;
    run(cli.command, Ui::detect())
}

fn run(command: Command, ui: Ui) -> Result<u8> {
    match command {
        Command::Init(args) => init::run(&args, ui),
        Command::Import(args) => import::run(&args, ui),
        Command::Check(args) => check::run(&args, ui),
        Command::Schema(args) => schema::run(&args, ui),
        Command::Completions(args) => Ok(completions::run(&args, ui)),
        #[cfg(feature = "aws")]
        Command::Policy(args) => policy::run(&args, ui),
        Command::Plan(args) => block_on(plan::run(args, ui)),
        Command::Matrix(args) => block_on(matrix::run(args, ui)),
        #[cfg(feature = "github")]
        Command::Report(args) => block_on(report::run(args, ui)),
        Command::Bake(args) => block_on(bake::run(args, ui)),
        Command::Publish(args) => block_on(publish::run(args, ui)),
        Command::Deploy(args) => block_on(publish::deploy(args, ui)),
        Command::Promote(args) => block_on(publish::promote(args, ui)),
        Command::Test(args) => block_on(test::run(args, ui)),
        Command::Component(args) => block_on(component::run(args, ui)),
        Command::Images(args) => block_on(images::run(args, ui)),
        Command::Sweep(args) => block_on(sweep::run(args, ui)),
    }
}

/// Only verbs that speak with a platform pay for a runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal("start the runtime").because(error))?;
    let result = runtime.block_on(future);
    // A look-up of a name that hangs in a blocking thread must not hold the end of a cancelled run.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surface_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_assignment_keeps_further_equal_signs() {
        assert_eq!(assignment("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(assignment("a").is_err() && assignment("=b").is_err());
    }
}
