//! The cases that every platform passes, on AWS as the test cloud has it.

use std::future::Future;
use std::sync::Arc;

use ami_bake_core::plan::MachineSettings;
use ami_bake_testkit::conformance::Subject;

use crate::world::{UBUNTU, World, in_cloud, newest};

fn subject(world: World) -> Subject {
    Subject {
        platform: Arc::new(world.aws.clone()),
        source: newest(UBUNTU),
        missing: newest((UBUNTU.0, "ubuntu-nobel-*")),
        machine: MachineSettings { types: vec!["t3.small".to_owned()], ..MachineSettings::default() },
        guard: Box::new(world.cloud),
    }
}

fn on_aws<F: Future<Output = ()>>(name: &str, case: impl FnOnce(Subject) -> F) {
    in_cloud(&format!("conformance::{name}"), |world| case(subject(world)));
}

ami_bake_testkit::conformance!(in on_aws);
