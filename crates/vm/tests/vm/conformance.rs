//! Runs the platform conformance tests on virtual machines with Debian.

use std::path::PathBuf;
use std::sync::Arc;

use ami_bake_core::plan::{MachineSettings, SourceQuery};
use ami_bake_testkit::conformance::Subject;
use ami_bake_testkit::guest;
use ami_bake_vm::Vm;

use crate::fixture::{PROGRAM, query};

async fn subject() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let source = query(&guest::base().join("disk.qcow2"), None);
    Subject {
        platform: Arc::new(Vm::new(folder.path(), PathBuf::from(PROGRAM)).unwrap()),
        source,
        missing: query(&folder.path().join("no-such-disk.qcow2"), None),
        machine: MachineSettings { user: Some("debian".to_owned()), ..MachineSettings::default() },
        guard: Box::new(folder),
    }
}

/// A missing file needs no machine; everything else boots Debian once or twice.
#[tokio::test]
async fn names_a_missing_source() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no-such-disk.qcow2");
    let subject = Subject {
        platform: Arc::new(Vm::new(folder.path(), PathBuf::from(PROGRAM)).unwrap()),
        source: SourceQuery::Id("none".to_owned()),
        missing: query(&missing, None),
        machine: MachineSettings::default(),
        guard: Box::new(()),
    };
    ami_bake_testkit::conformance::names_a_missing_source(subject).await;
}

mod debian {
    ami_bake_testkit::conformance!(ignored "boots Debian, which takes minutes without KVM" super::subject);
}
