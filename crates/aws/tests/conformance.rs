//! The cases that every platform passes, on AWS as the test cloud has it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use ami_bake_core::plan::{MachineSettings, SourceQuery};
use ami_bake_testkit::conformance::Subject;
use support::{UBUNTU, World, in_cloud};

fn newest((owner, name): (&str, &str)) -> SourceQuery {
    SourceQuery::Newest {
        owners: vec![owner.to_owned()],
        name: name.to_owned(),
        architecture: None,
        filters: BTreeMap::new(),
    }
}

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
    in_cloud(name, |world| case(subject(world)));
}

ami_bake_testkit::conformance!(in on_aws);
