//! The only place that names concrete platforms.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use ami_bake_core::platform::{Capabilities, Platform};
use ami_bake_core::{Error, Result, Run};
use ami_bake_manifest::Manifest;
use serde::{Deserialize, Serialize};

use crate::cli::{IdentityArgs, PlaceArgs};

#[cfg(not(any(feature = "aws", feature = "docker", feature = "local")))]
compile_error!("ami-bake needs a platform to bake on: enable the feature `aws`, `docker` or `local`");

/// The platforms of this build.
pub(crate) const PLATFORMS: &[&str] = &[
    #[cfg(feature = "aws")]
    "aws",
    #[cfg(feature = "docker")]
    "docker",
    #[cfg(feature = "local")]
    "local",
];

/// What a platform needs to know before it is asked for anything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The home region.
    pub(crate) region: Option<String>,
    /// As whom.
    pub(crate) identity: IdentityArgs,
    /// The folder of local images.
    pub(crate) store: Option<PathBuf>,
}

impl Place {
    /// What the flags say, else the environment, else the manifest.
    pub(crate) fn of(flags: PlaceArgs, manifest: Option<&Manifest>) -> Self {
        let PlaceArgs { region, store, mut identity } = flags;
        if identity.role.is_empty() {
            identity.role.extend(role_of_environment().or_else(|| manifest?.role().map(str::to_owned)));
        }
        Self { region: region.or_else(|| manifest?.region().map(str::to_owned)), identity, store }
    }
}

/// The role of AWS' own variable. Beside a token's file it is part of the SDK's chain, which assumes it by itself.
fn role_of_environment() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    set("AWS_ROLE_ARN").filter(|_| set("AWS_WEB_IDENTITY_TOKEN_FILE").is_none())
}

/// Runs this program as what it was started as by itself: a sandbox of the local platform. None for a person.
pub(crate) fn reexec() -> Option<ExitCode> {
    #[cfg(feature = "local")]
    return ami_bake_local::dispatch(std::env::args_os());
    #[cfg(not(feature = "local"))]
    None
}

/// What a platform can do, without asking it.
pub(crate) fn capabilities(name: &str) -> Option<Capabilities> {
    match name {
        #[cfg(feature = "aws")]
        "aws" => Some(ami_bake_aws::CAPABILITIES),
        #[cfg(feature = "docker")]
        "docker" => Some(ami_bake_docker::CAPABILITIES),
        #[cfg(feature = "local")]
        "local" => Some(ami_bake_local::CAPABILITIES),
        _ => None,
    }
}

/// A platform, ready for work.
///
/// # Errors
/// When this build has none of that name, or the place is incomplete.
#[cfg_attr(
    not(feature = "aws"),
    allow(unused_variables, clippy::unused_async, reason = "only a cloud is asked by the clock")
)]
pub(crate) async fn platform(name: &str, place: Place, run: &Run) -> Result<Arc<dyn Platform>> {
    #[cfg(feature = "github")]
    if let Some(action) = crate::action::current() {
        action.begin(run, name, &place);
    }
    match name {
        #[cfg(feature = "aws")]
        "aws" => {
            let clock = run.clock_handle();
            let limiter = Arc::new(ami_bake_core::limit::Limiter::new(Arc::clone(&clock)));
            let identity = identity(place.identity, run)?;
            let settings = ami_bake_aws::Settings { region: place.region, identity };
            Ok(Arc::new(ami_bake_aws::Aws::new(settings, clock, limiter).await?))
        }
        #[cfg(feature = "docker")]
        "docker" => {
            let settings = ami_bake_docker::Settings::from_environment();
            Ok(Arc::new(ami_bake_docker::Docker::connect(settings).await?))
        }
        #[cfg(feature = "local")]
        "local" => {
            let store = match place.store {
                Some(folder) => folder,
                None => ami_bake_local::default_store()?,
            };
            Ok(Arc::new(ami_bake_local::Local::of_this_program(&store)?))
        }
        _ => Err(unknown(name)),
    }
}

/// Whose credentials: in a workflow that may ask for a token its own, and under a name that leads back to its run.
#[cfg(feature = "aws")]
fn identity(args: IdentityArgs, run: &Run) -> Result<ami_bake_aws::Identity> {
    let warn = run.for_all();
    let mut identity = ami_bake_aws::Identity {
        audience: args.audience,
        session_name: args.session_name.as_deref().map(ami_bake_aws::session_name),
        duration: args.role_duration.map(std::time::Duration::from_secs),
        masker: Some(Arc::clone(run.masker())),
        warn: Some(Arc::new(move |message| warn.warn(message, None))),
        roles: args.role,
        ..ami_bake_aws::Identity::default()
    };
    #[cfg(feature = "github")]
    {
        use ami_bake_github::{event::Workflow, oidc, runner::Environment};
        let environment = Environment::of_process();
        let workflow = Workflow::of(&environment);
        let by_run = || Some(format!("ami-bake-{}-{}", workflow.run_id.as_deref()?, workflow.repository.as_deref()?));
        identity.session_name = identity.session_name.or_else(|| by_run().as_deref().map(ami_bake_aws::session_name));
        identity.help = oidc::help_without(&environment, &workflow);
        let tokens = oidc::WorkflowTokens::of(&environment, Arc::clone(run.masker()), run.clock_handle())?;
        identity.tokens = tokens.map(|tokens| Arc::new(tokens) as Arc<dyn ami_bake_core::token::TokenSource>);
    }
    Ok(identity)
}

/// An image that is to be written to a file.
#[cfg_attr(not(feature = "local"), expect(dead_code, reason = "only the local platform has images to write"))]
pub(crate) struct Export {
    /// The image, in the words of the platform.
    pub(crate) image: String,
    /// The file or folder.
    pub(crate) file: PathBuf,
    /// The format, where the file's ending doesn't say it.
    pub(crate) format: Option<String>,
    /// The folder of local images.
    pub(crate) store: Option<PathBuf>,
}

/// Writes an image of the local platform to a file, and says what came of it.
///
/// # Errors
/// When there is no such image, or it can't be written.
#[cfg_attr(
    not(feature = "local"),
    expect(unused_variables, clippy::unused_async, reason = "only the local platform has images to write")
)]
pub(crate) async fn export(run: &Run, wanted: &Export) -> Result<String> {
    #[cfg(feature = "local")]
    {
        let format = ami_bake_local::Format::of(&wanted.file, wanted.format.as_deref())?;
        let store = match &wanted.store {
            Some(folder) => folder.clone(),
            None => ami_bake_local::default_store()?,
        };
        let local = ami_bake_local::Local::of_this_program(&store)?;
        let done = local.export(run, &wanted.image, &wanted.file, format).await?;
        let mut text = format!(
            "{} ({}) is exported as {} to {} ({:.1} MB).\n",
            done.image.name,
            done.image.id,
            done.format.as_str(),
            wanted.file.display(),
            done.size as f64 / 1e6
        );
        if done.holds_host() {
            text.push_str(
                "It lies over this machine's system, which is in it without data, keys and settings of this machine: \
                 `ami-bake help images export` tells what is left out.\n",
            );
        }
        Ok(text)
    }
    #[cfg(not(feature = "local"))]
    Err(unknown("local"))
}

/// The platform is none of this build's.
pub(crate) fn unknown(name: &str) -> Error {
    Error::usage(format!("there is no platform {name:?} in this build")).help(format!("It has {}.", list(PLATFORMS)))
}

fn list(names: &[&str]) -> String {
    match names {
        [names @ .., last] if !names.is_empty() => format!("{} and {last}", names.join(", ")),
        names => names.concat(),
    }
}
