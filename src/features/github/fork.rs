//! Runs that get no credentials from GitHub: pull requests of forks and of Dependabot. They do what is possible
//! without.

use std::sync::Arc;

use ami_bake_core::mask::Masker;
use ami_bake_core::plan::{SourceQuery, Variant, VersionRule};
use ami_bake_core::{Error, Result};
use ami_bake_github::markdown::Escape;
use ami_bake_github::runner::{Annotation, Level};

use super::action::{Action, in_fence};
use super::inputs;
use crate::args::{AccessArgs, ManifestArgs, PlatformArgs, VariableArgs, assignment};
use crate::commands::matrix::Matrix;
use crate::program::Program;
use crate::report::Show;
use crate::runtime::block_on;
use crate::session::{Purpose, Session, Settings, load};
use crate::table::{Cell, table};
use crate::ui::Paint;

/// Commands that need credentials if the manifest is for AWS.
const NEED_CREDENTIALS: [&str; 8] = ["bake", "plan", "matrix", "publish", "promote", "deploy", "test", "images"];
/// Inputs that have no effect without credentials.
const OF_CREDENTIALS: &[&str] =
    &["role", "region", "audience", "session-name", "role-duration", "platform", "keep-on-failure"];

/// Runs a command line: the arguments after the program's name.
type Dispatch<'a> = &'a dyn Fn(&[String]) -> Result<u8>;

/// The untrusted run of an action.
pub(super) struct ForkRun<'a> {
    /// The action.
    pub(super) action: &'a Arc<Action>,
    /// The host and the platforms.
    pub(super) program: &'a Program,
    /// The command line of the program.
    pub(super) surface: &'a clap::Command,
    /// Runs a command line.
    pub(super) dispatch: Dispatch<'a>,
}

impl ForkRun<'_> {
    /// Does what is possible and returns the exit code; `None` when the run is trusted or the command needs no
    /// credentials.
    ///
    /// # Errors
    /// With `on-fork: fail`, and when the manifest can't be read.
    pub(super) fn run(&self, command: &str) -> Result<Option<u8>> {
        let action = self.action;
        let Some(why) = action.workflow.untrusted() else { return Ok(None) };
        if !NEED_CREDENTIALS.contains(&command) {
            return Ok(None);
        }
        let manifest = manifest_args(action);
        let loaded = load(self.program, &manifest, None, Purpose::Check)?;
        if loaded.manifest().is_some_and(|manifest| manifest.platform().as_str() != "aws") {
            return Ok(None);
        }
        match action.environment.input("on-fork") {
            Some("skip") => {
                notice(action, &format!("{why}: skipped (`on-fork: skip`)."));
                Ok(Some(0))
            }
            Some("fail") => Err(Error::preflight(format!("{why}, and `on-fork` is `fail`"))
                .help("GitHub gives such runs neither secrets nor an OIDC token.")),
            None | Some("check") => self.check(why, command, &manifest).map(Some),
            // The value was validated when the step began.
            Some(other) => Err(Error::internal(format!("unknown value {other} for input `on-fork`"))),
        }
    }

    /// Runs `check`, shows as much of a plan as is known without credentials, and bakes on Docker if a daemon answers.
    fn check(&self, why: &str, command: &str, manifest: &ManifestArgs) -> Result<u8> {
        let action = self.action;
        notice(
            action,
            &format!(
                "{why}. GitHub gives such runs neither secrets nor an OIDC token, so only checks run that need none."
            ),
        );
        let line = inputs::line(self.surface, "check", &action.environment, OF_CREDENTIALS)?;
        let code = (self.dispatch)(&line.words)?;
        if code != 0 {
            return Ok(code);
        }
        let plan = self.outline(manifest)?;
        action.log.say(&plan);
        // Jobs that fan out over the matrix have nothing to do.
        Matrix::of(&[]).output(self.program.host.as_ref());
        if command != "bake" || !self.bakes_on_docker(manifest)? {
            action.summary(&format!(
                "### Checked without credentials\n\n{}. The manifest is valid.\n\n{}",
                Escape::new(&Masker::default()).text(why),
                in_fence(&plan)
            ));
            return Ok(0);
        }
        let mut line = inputs::line(self.surface, "bake", &action.environment, OF_CREDENTIALS)?;
        line.words.insert(1, "--platform=docker".to_owned());
        (self.dispatch)(&line.words)
    }

    /// The images with their versions and sources, as far as the manifest contains them.
    fn outline(&self, manifest: &ManifestArgs) -> Result<String> {
        let loaded = load(self.program, manifest, None, Purpose::Check)?;
        let Some(manifest) = loaded.manifest() else { return Ok(String::new()) };
        let rows: Vec<Vec<Cell>> = manifest.variants().iter().map(row).collect();
        Ok(table(&["image", "version", "from"], &rows, Paint { on: false }))
    }

    /// True when the manifest also bakes on Docker, and a daemon answers.
    fn bakes_on_docker(&self, manifest: &ManifestArgs) -> Result<bool> {
        let (log, program) = (&self.action.log, self.program);
        let on_docker = ManifestArgs { platform: Some("docker".to_owned()), ..manifest.clone() };
        if program.platforms.get("docker").is_err() || load(program, &on_docker, None, Purpose::Check)?.exit_code() != 0
        {
            log.say("Skipped the bake: the manifest has no source for Docker (`source: {docker: …}`)\n");
            return Ok(false);
        }
        block_on(async {
            let session = Session::begin(Settings::reading(Show::Warnings), &program.host)?;
            let connected = program.connect("docker", PlatformArgs::default(), &session.run).await;
            session.end(0).await;
            if let Err(error) = &connected {
                log.say(&format!("Skipped the bake: {error}\n"));
            }
            Ok(connected.is_ok())
        })
    }
}

fn manifest_args(action: &Action) -> ManifestArgs {
    let input = |name: &str| action.environment.input(name).map(str::to_owned);
    let set = action.environment.assignments("set").unwrap_or_default();
    ManifestArgs {
        manifest: input("manifest").map(Into::into),
        image: action.environment.words("images"),
        platform: input("platform"),
        environment: input("environment"),
        variables: VariableArgs {
            set: set.iter().filter_map(|entry| assignment(entry).ok()).collect(),
            var_file: action.environment.list("var-file").into_iter().map(Into::into).collect(),
        },
        access: AccessArgs {
            allow_files: action.environment.list("allow-files").into_iter().map(Into::into).collect(),
            allow_env: action.environment.words("allow-env"),
        },
    }
}

fn notice(action: &Action, text: &str) {
    action.log.annotate(&Annotation::new(Level::Notice, "no credentials", text));
}

fn row(variant: &Variant) -> Vec<Cell> {
    let version = match &variant.version {
        VersionRule::Auto => "next".to_owned(),
        VersionRule::Release => "from the release".to_owned(),
        VersionRule::Fixed(version) => version.to_string(),
    };
    let from = match (&variant.after, &variant.source) {
        (Some(base), _) => base.to_string(),
        (None, SourceQuery::Id(id)) => id.clone(),
        (None, SourceQuery::Parameter(path)) => path.clone(),
        (None, SourceQuery::Newest { name, owners, .. }) => format!("{name} owned by {}", owners.join(", ")),
        (None, SourceQuery::Baked(baked)) => format!("{}/{}", baked.namespace, baked.key),
        (None, SourceQuery::Reference(reference)) => reference.clone(),
        (None, SourceQuery::Disk(disk)) => disk.location.clone(),
    };
    vec![Cell::new(variant.key.to_string()), version.into(), from.into()]
}
