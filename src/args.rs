//! The command-line arguments that several commands share.

use std::path::PathBuf;

use ami_bake_core::engine::{Options, VersionContext};
use ami_bake_core::version::Bump;
use ami_bake_manifest::Manifest;
use ami_bake_manifest::access::credential;
use clap::ValueEnum;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::facts::Facts;

/// The manifest to read, and the values to evaluate it with.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ManifestArgs {
    /// Manifest to read
    ///
    /// Default: bake.yml in the working directory, else .github/bake.yml.
    pub(crate) manifest: Option<PathBuf>,

    /// Select an image and the images it is built on: IMAGE, or IMAGE-VARIANT for one variant; may be repeated
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Vec<String>,

    /// Platform: aws, docker, local or vm. Default: from the manifest
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,

    /// Apply this entry of the manifest's `environments`
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,

    #[command(flatten)]
    pub(crate) variables: VariableArgs,

    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// Values for the variables of a manifest or a template.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct VariableArgs {
    /// Set a variable; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,

    /// Read variables from a YAML or JSON file; may be repeated, the last one wins
    #[arg(long, value_name = "FILE")]
    pub(crate) var_file: Vec<PathBuf>,
}

/// What a manifest or a template may read of this computer.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct AccessArgs {
    /// Allow files of another folder, or a single file; may be repeated
    ///
    /// A manifest or template may name the files of the Git work tree around it, except `.git`; outside of Git, those of its own
    /// folder. Links count as what they lead to.
    #[arg(long, value_name = "DIR")]
    pub(crate) allow_files: Vec<PathBuf>,

    /// Allow an environment variable in a workflow run that anyone can start; may be repeated
    ///
    /// In such a run (a pull request from a fork, pull_request_target, issue_comment, workflow_run after a fork's run), manifests
    /// and templates see only variables that begin with AMI_BAKE_VAR_. Credentials such as GITHUB_TOKEN can't be allowed.
    #[arg(long, value_name = "NAME", value_parser = allowed_variable)]
    pub(crate) allow_env: Vec<String>,
}

/// How the platform is reached. Saved by the action's main step for its post step.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
pub(crate) struct PlatformArgs {
    /// AWS region. Default: from the manifest, else from the environment
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    #[command(flatten)]
    pub(crate) store: StoreArgs,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
}

/// Location of the local platform's image store.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
pub(crate) struct StoreArgs {
    /// Image store of the platforms local and vm
    ///
    /// Default: ami-bake/store in $XDG_STATE_HOME, else in ~/.local/state.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: Option<PathBuf>,
}

/// Which AWS identity is used.
#[derive(Debug, Clone, Default, clap::Args, Serialize, Deserialize)]
pub(crate) struct IdentityArgs {
    /// AWS role to assume; repeat it to chain roles. Default: from the manifest
    ///
    /// In a workflow with `id-token: write`, the first role is assumed with the workflow's OIDC token. The environment
    /// variable AWS_ROLE_ARN is used when the flag is not given.
    #[arg(long, value_name = "ARN")]
    pub(crate) role: Vec<String>,

    /// Audience of the workflow's OIDC token. Default: sts.amazonaws.com
    #[arg(long, value_name = "TEXT")]
    pub(crate) audience: Option<String>,

    /// Name of the role session, as CloudTrail shows it
    #[arg(long, value_name = "NAME")]
    pub(crate) session_name: Option<String>,

    /// Duration of a role session, from 900 up to the role's maximum; sessions are renewed before they expire
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(900..=43200))]
    pub(crate) role_duration: Option<u64>,
}

impl PlatformArgs {
    /// Fills in missing values: from the environment, then from the manifest.
    pub(crate) fn resolve(self, manifest: Option<&Manifest>) -> Self {
        let Self { region, store, mut identity } = self;
        if identity.role.is_empty() {
            identity.role.extend(role_of_environment().or_else(|| manifest?.role().map(str::to_owned)));
        }
        Self { region: region.or_else(|| manifest?.region().map(str::to_owned)), store, identity }
    }
}

/// The role in AWS' own environment variable. Together with a token file it belongs to the SDK's credential chain,
/// which assumes the role by itself.
fn role_of_environment() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    set("AWS_ROLE_ARN").filter(|_| set("AWS_WEB_IDENTITY_TOKEN_FILE").is_none())
}

/// A manifest and the platform it is used on.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TargetArgs {
    #[command(flatten)]
    pub(crate) manifest: ManifestArgs,

    #[command(flatten)]
    pub(crate) platform: PlatformArgs,
}

/// Which version images get, and whether they are baked at all.
#[derive(Debug, clap::Args)]
pub(crate) struct VersionArgs {
    /// Version for all images, or for one as IMAGE=VERSION; overrides the manifest, may be repeated
    ///
    /// Dates and build numbers become semantic versions: 2026.01.05 and 2026-01-05 are 2026.1.5, 1234 is 1234.0.0.
    #[arg(long, value_name = "[IMAGE=]VERSION", value_parser = image_version)]
    image_version: Vec<(Option<String>, Version)>,

    /// Part of the version that `version: auto` raises
    ///
    /// Default: from a label of the pull request (`major`, `bump:minor`, …), else patch.
    #[arg(long, value_enum, value_name = "PART")]
    bump: Option<Part>,

    /// Bake even if nothing changed
    #[arg(long)]
    force: bool,
}

impl VersionArgs {
    /// True when versions were given, so that the event does not decide whether there is something to bake.
    pub(crate) fn is_given(&self) -> bool {
        !self.image_version.is_empty()
    }

    /// The engine's options for a run with these facts.
    pub(crate) fn options(&self, facts: &Facts, context: VersionContext) -> Options {
        Options {
            force: self.force,
            image_version: self.image_version.iter().rfind(|(image, _)| image.is_none()).map(|(_, all)| all.clone()),
            image_versions: self.image_version.iter().cloned().filter_map(|(image, one)| Some((image?, one))).collect(),
            bump: match self.bump {
                Some(Part::Major) => Bump::Major,
                Some(Part::Minor) => Bump::Minor,
                Some(Part::Patch) => Bump::Patch,
                None => facts.bump.unwrap_or_default(),
            },
            context,
            ..Options::default()
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// 1.2.3 becomes 2.0.0
    Major,
    /// 1.2.3 becomes 1.3.0
    Minor,
    /// 1.2.3 becomes 1.2.4
    Patch,
}

/// Whether a failed machine is kept.
#[derive(Debug, clap::Args)]
pub(crate) struct KeepArgs {
    /// Keep a failed machine for two hours and write its SSH key to FOLDER. Default: the working directory
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true, default_missing_value = ".")]
    pub(crate) keep_on_failure: Option<PathBuf>,
}

/// How a run is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct EventArgs {
    /// Print each event as a line of JSON instead of the log
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the output of steps is written.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// Write the complete output of each step to a file in DIR
    ///
    /// The log shows 8 MB of a step at once, then 1 MB per second, and 32 MB in total, counting 256 bytes of overhead per
    /// line, and says how much it leaves out. The files contain everything, up to 1 GB each, with secrets masked. They
    /// are named IMAGE-PHASE-STEP.log, such as web-build-1.log.
    #[arg(long, value_name = "DIR")]
    pub(crate) log_dir: Option<PathBuf>,
}

/// Parses `NAME=VALUE`; the value may contain further `=`.
///
/// # Errors
/// When there is no name before the first `=`.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as nginx=1.24".to_owned()),
    }
}

/// Parses the name of an environment variable that may be read.
///
/// # Errors
/// When the name is invalid, or that of a credential.
fn allowed_variable(name: &str) -> Result<String, String> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err("expected the name of one environment variable, such as MIRROR".to_owned());
    }
    if credential::signs_in(name) {
        return Err("ami-bake or the runner signs in with it; pass the value under another name".to_owned());
    }
    Ok(name.to_owned())
}

/// Parses a version, a date or a build number.
///
/// # Errors
/// When the text is none of these.
pub(crate) fn version(text: &str) -> Result<Version, String> {
    ami_bake_core::version::read(text)
}

/// Parses `VERSION`, for all images, or `IMAGE=VERSION`.
fn image_version(text: &str) -> Result<(Option<String>, Version), String> {
    match text.split_once('=') {
        Some((image, text)) => Ok((Some(image.trim().to_owned()), version(text.trim())?)),
        None => Ok((None, version(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_keeps_further_equal_signs() {
        assert_eq!(assignment("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(assignment("a").is_err() && assignment("=b").is_err());
    }

    #[test]
    fn a_version_may_carry_its_v() {
        assert_eq!(version("v1.2.3"), Ok(Version::new(1, 2, 3)));
        assert_eq!(version("2026-01-05"), Ok(Version::new(2026, 1, 5)));
        assert!(version("one").unwrap_err().contains("expected a semantic version"));
        assert_eq!(image_version("web-arm64=v1.2.3"), Ok((Some("web-arm64".to_owned()), Version::new(1, 2, 3))));
        assert!(image_version("web=").is_err());
    }
}
