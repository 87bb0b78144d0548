//! A platform over the tests' engine.

use ami_bake_docker::{Docker, Settings};
use ami_bake_testkit::docker::Engine;

/// The settings for this engine, without anybody's credentials.
pub(crate) fn settings(engine: &Engine) -> Settings {
    Settings { host: Some(engine.host().to_owned()), ..Settings::default() }
}

/// The platform.
pub(crate) async fn docker(engine: &Engine) -> Docker {
    Docker::connect(settings(engine)).await.unwrap()
}
