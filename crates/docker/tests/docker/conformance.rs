//! Runs the platform conformance tests on Docker.

use std::sync::Arc;

use ami_bake_core::plan::{MachineSettings, SourceQuery};
use ami_bake_testkit::conformance::Subject;
use ami_bake_testkit::docker::{BASE, Engine};

use crate::fixture::docker;

async fn subject() -> Subject {
    let engine = Engine::get();
    Subject {
        platform: Arc::new(docker(&engine).await),
        source: SourceQuery::Reference(BASE.to_owned()),
        // Nothing listens on this port, so the test sends no request to a real registry.
        missing: SourceQuery::Reference("127.0.0.1:9/no/such:image".to_owned()),
        machine: MachineSettings::default(),
        guard: Box::new(engine),
    }
}

mod network {
    ami_bake_testkit::conformance!(super::subject);
}

async fn without_network() -> Subject {
    Subject { machine: MachineSettings { network: Some(false), ..MachineSettings::default() }, ..subject().await }
}

mod no_network {
    ami_bake_testkit::conformance!(super::without_network);
}
