//! The only place that checks the cargo features of this build: platforms, commands and hosts are registered here.
//!
//! Code that needs an optional crate lives in the folder of its feature.

use std::process::ExitCode;
use std::sync::Arc;

use ami_bake_core::Result;
use ami_bake_core::mask::Masker;
use clap::Subcommand;

use crate::host::Host;
use crate::out::{Cleaner, LineRule};
use crate::platforms::Platforms;
use crate::program::Program;

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "github")]
mod github;
#[cfg(all(feature = "local", target_os = "linux"))]
mod local;
#[cfg(all(feature = "vm", target_os = "linux"))]
mod vm;

#[cfg(not(any(
    feature = "aws",
    feature = "docker",
    all(any(feature = "local", feature = "vm"), target_os = "linux")
)))]
compile_error!("ami-bake needs a platform to bake on: enable the feature `aws`, `docker`, `local` or `vm`");

/// The platforms of this build. The first one is the default.
pub(crate) const PLATFORMS: Platforms = Platforms(&[
    #[cfg(feature = "aws")]
    &aws::AwsFactory,
    #[cfg(feature = "docker")]
    &docker::DockerFactory,
    #[cfg(all(feature = "local", target_os = "linux"))]
    &local::LocalFactory,
    #[cfg(all(feature = "vm", target_os = "linux"))]
    &vm::VmFactory,
]);

/// Commands that need a feature.
#[cfg_attr(
    all(feature = "aws", feature = "github"),
    expect(clippy::large_enum_variant, reason = "made once, by the command line")
)]
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "aws")]
    Policy(aws::PolicyArgs),
    #[cfg(feature = "github")]
    Report(github::ReportArgs),
}

impl Command {
    /// Runs the command and returns the exit code.
    ///
    /// # Errors
    /// When the command fails.
    #[cfg_attr(not(any(feature = "aws", feature = "github")), expect(unused_variables, reason = "there is no command"))]
    pub(crate) fn run(self, program: &Program) -> Result<u8> {
        match self {
            #[cfg(feature = "aws")]
            Self::Policy(args) => aws::policy(&args, program),
            #[cfg(feature = "github")]
            Self::Report(args) => github::report(&args, program),
        }
    }
}

/// Runs a helper process of a platform, if this program was started as one; `None` when a person started it.
pub(crate) fn run_helper() -> Option<ExitCode> {
    #[cfg(all(feature = "local", target_os = "linux"))]
    if let Some(code) = ami_bake_local::dispatch(std::env::args_os()) {
        return Some(code);
    }
    #[cfg(all(feature = "vm", target_os = "linux"))]
    if let Some(code) = ami_bake_vm::dispatch(std::env::args_os()) {
        return Some(code);
    }
    None
}

/// The host of this process, when it is not an action; `surface` is the command line.
#[cfg_attr(not(feature = "github"), expect(unused_variables, reason = "there is one host"))]
pub(crate) fn host(surface: fn() -> clap::Command, cleaner: Cleaner) -> Arc<dyn Host> {
    #[cfg(feature = "github")]
    return github::host(surface, cleaner);
    #[cfg(not(feature = "github"))]
    Arc::new(crate::host::TerminalHost::detect(cleaner))
}

/// A rule for lines of output: in a workflow, none may be a command for the runner.
pub(crate) fn line_rule() -> Option<LineRule> {
    #[cfg(feature = "github")]
    return github::line_rule();
    #[cfg(not(feature = "github"))]
    None
}

/// Runs this process as a GitHub action, when the runner started it as one: `surface` is the command line that inputs
/// are translated to, `run` runs one.
#[cfg(feature = "github")]
pub(crate) fn run_action(
    surface: fn() -> clap::Command,
    run: github::RunCommand,
    masker: &Arc<Masker>,
) -> Option<ExitCode> {
    github::run_action(surface, run, PLATFORMS, masker)
}

/// A build without the feature can't run as an action.
#[cfg(not(feature = "github"))]
pub(crate) fn run_action(
    _: fn() -> clap::Command,
    _: fn(&[String], &Program) -> Result<u8>,
    _: &Arc<Masker>,
) -> Option<ExitCode> {
    None
}
