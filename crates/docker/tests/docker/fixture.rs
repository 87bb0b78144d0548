//! The Docker platform on the tests' engine, and machines on it.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::Run;
use ami_bake_core::communicator::{Communicator, Exec};
use ami_bake_core::output::Collect;
use ami_bake_core::plan::{ImageKey, MachineSettings, Phase, SourceQuery};
use ami_bake_core::platform::{Launch, Machine, Platform};
use ami_bake_docker::{Docker, Settings};
use ami_bake_testkit::docker::{BASE, Engine};

/// Settings for this engine, without registry credentials.
pub(crate) fn settings(engine: &Engine) -> Settings {
    Settings { host: Some(engine.host().to_owned()), ..Settings::default() }
}

/// The platform, connected to this engine.
pub(crate) async fn docker(engine: &Engine) -> Docker {
    Docker::connect(settings(engine)).await.unwrap()
}

/// Launches a machine on the base image with this lifetime.
pub(crate) async fn launch(run: &Run, docker: &Docker, lifetime: Duration) -> Box<dyn Machine> {
    let source = docker.find_source(run, &SourceQuery::Reference(BASE.to_owned())).await.unwrap();
    let (key, machine) = (ImageKey::new("web"), MachineSettings::default());
    let launch =
        Launch { key: &key, namespace: "tests", phase: Phase::Build, source: &source, machine: &machine, lifetime };
    docker.launch(run, &launch).await.unwrap()
}

/// Launches a machine and connects to it.
pub(crate) async fn machine(
    run: &Run,
    docker: &Docker,
    lifetime: Duration,
) -> (Box<dyn Machine>, Arc<dyn Communicator>) {
    let machine = launch(run, docker, lifetime).await;
    let inside = machine.connect(run).await.unwrap();
    (machine, inside)
}

/// Runs a command that must succeed, and returns its standard output.
pub(crate) async fn sh(inside: &dyn Communicator, command: &str) -> String {
    let mut output = Collect::default();
    let exit = inside.exec(Exec::new(command), &mut output).await.unwrap();
    assert!(exit.success(), "{command}: {exit:?}, {}", output.stderr_text());
    output.stdout_text()
}
