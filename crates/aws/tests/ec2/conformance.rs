//! Runs the platform conformance tests on AWS, in the test cloud.

use std::future::Future;
use std::sync::Arc;

use ami_bake_core::plan::MachineSettings;
use ami_bake_testkit::conformance::Subject;

use crate::fixture::{CloudFixture, UBUNTU, in_cloud, newest};

fn subject(fixture: CloudFixture) -> Subject {
    Subject {
        platform: Arc::new(fixture.aws.clone()),
        source: newest(UBUNTU),
        missing: newest((UBUNTU.0, "ubuntu-nobel-*")),
        machine: MachineSettings { types: vec!["t3.small".to_owned()], ..MachineSettings::default() },
        guard: Box::new(fixture.cloud),
    }
}

fn on_aws<F: Future<Output = ()>>(case: impl FnOnce(Subject) -> F) {
    in_cloud(|fixture| case(subject(fixture)));
}

ami_bake_testkit::conformance!(in on_aws);
