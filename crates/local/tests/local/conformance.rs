//! Runs the platform conformance tests on sandboxes.

use std::path::PathBuf;
use std::sync::Arc;

use ami_bake_core::plan::{MachineSettings, SourceQuery};
use ami_bake_local::Local;
use ami_bake_testkit::conformance::Subject;

use crate::fixture::PROGRAM;

async fn subject() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    Subject {
        platform: Arc::new(Local::new(folder.path(), PathBuf::from(PROGRAM)).unwrap()),
        source: SourceQuery::Reference("host".to_owned()),
        missing: SourceQuery::Reference("/no/such/root".to_owned()),
        machine: MachineSettings::default(),
        guard: Box::new(folder),
    }
}

mod host {
    ami_bake_testkit::conformance!(super::subject);
}

async fn without_network() -> Subject {
    Subject { machine: MachineSettings { network: Some(false), ..MachineSettings::default() }, ..subject().await }
}

mod no_network {
    ami_bake_testkit::conformance!(super::without_network);
}
