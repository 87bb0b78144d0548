//! Runs that GitHub trusts with nothing: a fork's pull request, Dependabot's. What is useful without credentials is done.

use ami_bake_core::plan::{Recipe as _, SourceQuery, Variant, VersionRule};
use ami_bake_core::{Error, Result};
use ami_bake_github::runner::{Annotation, Level};

use super::{Action, inputs};
use crate::cli;
use crate::cli::ManifestArgs;
use crate::commands::matrix::Matrix;
use crate::session::{Parts, Session, Show, load};
use crate::table::{Cell, table};
use crate::ui::{Paint, Ui};
use crate::wire;

/// Commands that need a cloud, as a manifest on AWS does.
const NEED_A_CLOUD: [&str; 8] = ["bake", "plan", "matrix", "publish", "promote", "deploy", "test", "images"];
/// Inputs that mean nothing without a cloud.
const OF_THE_CLOUD: &[&str] =
    &["role", "region", "audience", "session-name", "role-duration", "platform", "keep-on-failure"];

/// Does what can be done, and answers the exit code; none where the run is trusted, or the command needs no cloud.
pub(super) fn run(action: &'static Action, command: &str) -> Result<Option<u8>> {
    let Some(why) = action.workflow.untrusted() else { return Ok(None) };
    if !NEED_A_CLOUD.contains(&command) {
        return Ok(None);
    }
    let manifest = || arguments(action);
    let platform = load(&manifest(), None, true)?.manifest().map(|manifest| manifest.platform().as_str().to_owned());
    if platform.is_some_and(|platform| platform != "aws") {
        return Ok(None);
    }
    match action.environment.input("on-fork") {
        Some("skip") => {
            notice(action, &format!("{why}: nothing is done (`on-fork: skip`)."));
            Ok(Some(0))
        }
        Some("fail") => Err(Error::preflight(format!("{why}, and `on-fork: fail` says that it fails"))
            .help("GitHub gives such runs neither secrets nor an identity.")),
        None | Some("check") => check(action, why, command, &manifest()).map(Some),
        Some(other) => {
            Err(Error::usage(format!("the input `on-fork` is {other:?}")).help("Write check, skip or fail."))
        }
    }
}

fn arguments(action: &Action) -> ManifestArgs {
    let input = |name: &str| action.environment.input(name).map(str::to_owned);
    let set = action.environment.lines("set");
    ManifestArgs {
        manifest: input("manifest").map(Into::into),
        image: action.environment.list("images"),
        platform: input("platform"),
        environment: input("environment"),
        set: set.iter().filter_map(|entry| cli::assignment(entry).ok()).collect(),
        var_file: action.environment.list("var-file").into_iter().map(Into::into).collect(),
    }
}

fn notice(action: &Action, text: &str) {
    action.log.annotate(&Annotation::new(Level::Notice, "without credentials", text));
}

/// Check, a plan as far as it goes without a cloud, and a bake on Docker where an engine answers.
fn check(action: &'static Action, why: &str, command: &str, manifest: &ManifestArgs) -> Result<u8> {
    notice(
        action,
        &format!("{why}: GitHub gives it neither secrets nor an identity, so that it is checked without a cloud."),
    );
    let line = inputs::line("check", &action.environment, OF_THE_CLOUD)?;
    let code = cli::dispatch(&line.words)?;
    if code != 0 {
        return Ok(code);
    }
    let plan = outline(manifest)?;
    action.log.say(&plan);
    // Jobs that fan out find nothing to do.
    Matrix::of(&[]).output();
    if command != "bake" || !on_docker(action, manifest)? {
        action
            .summary(&format!("### Checked without a cloud\n\n{why}. The manifest is valid.\n\n```text\n{plan}```\n"));
        return Ok(0);
    }
    let mut line = inputs::line("bake", &action.environment, OF_THE_CLOUD)?;
    line.words.insert(1, "--platform=docker".to_owned());
    cli::dispatch(&line.words)
}

/// The images, from what and under which version they would be made.
fn outline(manifest: &ManifestArgs) -> Result<String> {
    let loaded = load(manifest, None, true)?;
    let Some(manifest) = loaded.manifest() else { return Ok(String::new()) };
    let rows: Vec<Vec<Cell>> = manifest.variants().iter().map(row).collect();
    Ok(table(&["image", "version", "from"], &rows, Paint { on: false }))
}

fn row(variant: &Variant) -> Vec<Cell> {
    let version = match &variant.version {
        VersionRule::Auto => "the next one".to_owned(),
        VersionRule::Release => "the release's".to_owned(),
        VersionRule::Fixed(version) => version.to_string(),
    };
    let from = match (&variant.after, &variant.source) {
        (Some(base), _) => base.to_string(),
        (None, SourceQuery::Id(id)) => id.clone(),
        (None, SourceQuery::Parameter(path)) => path.clone(),
        (None, SourceQuery::Newest { name, owners, .. }) => format!("{name} of {}", owners.join(", ")),
        (None, other) => format!("{other:?}"),
    };
    vec![Cell::new(variant.key.to_string()), version.into(), from.into()]
}

/// True when the manifest bakes on Docker too, and an engine answers.
fn on_docker(action: &'static Action, manifest: &ManifestArgs) -> Result<bool> {
    let on_docker = ManifestArgs { platform: Some("docker".to_owned()), ..clone(manifest) };
    if wire::capabilities("docker").is_none() || load(&on_docker, None, true)?.exit_code() != 0 {
        action.log.say("The manifest has no source for Docker (`source: {docker: …}`): nothing is baked.\n");
        return Ok(false);
    }
    cli::block_on(async {
        let session = Session::begin(Parts::reading(Show::Warnings), Ui::detect())?;
        let place = wire::Place::default();
        let answer = wire::platform("docker", place, &session.run).await;
        session.end(0).await;
        if let Err(error) = &answer {
            action.log.say(&format!("No Docker engine answers, so that nothing is baked: {error}\n"));
        }
        Ok(answer.is_ok())
    })
}

fn clone(manifest: &ManifestArgs) -> ManifestArgs {
    ManifestArgs {
        manifest: manifest.manifest.clone(),
        image: manifest.image.clone(),
        platform: manifest.platform.clone(),
        environment: manifest.environment.clone(),
        set: manifest.set.clone(),
        var_file: manifest.var_file.clone(),
    }
}
