//! Captures, registrations and their ends, on the test cloud.

use ami_bake_core::ErrorKind;
use ami_bake_core::plan::{CaptureMode, MachineSettings, Phase};
use ami_bake_core::platform::{Candidate, ImageQuery, Orphan, Platform, Undo};
use serde_json::json;

use crate::world::{LATER, OVER, RHEL, UBUNTU, World, in_cloud};

#[test]
fn a_halted_capture_becomes_an_image_and_leaves_nothing() {
    in_cloud("capture::a_halted_capture_becomes_an_image_and_leaves_nothing", |mut world| async move {
        let mut plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        plan.machine.disk.size = Some(9);
        let candidate = world.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!(candidate.parts.len(), 1);
        assert_eq!(world.cloud.count("CreateImage"), 0);
        assert!(world.cloud.count("GetConsoleOutput") >= 1);
        let listed = world.aws.images(&world.run, &ImageQuery::default()).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(listed[0].tested.is_none(), "a candidate is not tested");

        let image = world.register(&plan, &candidate).await.unwrap();
        assert_eq!((image.name.as_str(), image.available), ("shop/web/1.0.0", true));
        assert!(image.tested.is_some());
        assert_eq!(image.parts, candidate.parts);
        let listed = world.aws.images(&world.run, &ImageQuery::default()).await.unwrap();
        assert_eq!(listed.iter().map(|image| image.id.clone()).collect::<Vec<_>>(), [image.id]);
        world.clean_up().await;
        world.holds(1, 1);
        // The registered mapping has the manifest's size and gp3's own speed, not the bake's.
        let calls = world.cloud.calls();
        let registered = calls.iter().rfind(|call| call["action"] == "RegisterImage").unwrap();
        let ebs = &registered["parameters"]["BlockDeviceMappings"][0]["Ebs"];
        assert_eq!((&ebs["VolumeSize"], &ebs["Iops"], &ebs["Throughput"]), (&json!(9), &json!(3000), &json!(125)));
        let untagged = calls.iter().find(|call| call["action"] == "DeleteTags").unwrap();
        assert!(untagged.to_string().contains("ami-bake:expires"));
        let told = world.told();
        assert!(told.iter().all(|line| !line.contains("could not")), "{told:?}");
    });
}

#[test]
fn without_a_power_line_the_stopped_state_is_waited_for() {
    in_cloud("capture::without_a_power_line_the_stopped_state_is_waited_for", |mut world| async move {
        world.cloud.fault(&json!({"kind": "no-power-line"}));
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        let candidate = world.candidate(&plan).await.unwrap();
        world.aws.delete_image(&world.run, &candidate.image.id).await.unwrap();
        // Not being there is success.
        world.aws.delete_image(&world.run, &candidate.image.id).await.unwrap();
        world.clean_up().await;
        world.holds(0, 0);
        drop(world.told());
    });
}

#[test]
fn a_live_capture_leaves_the_machine_running_until_the_point_in_time() {
    in_cloud("capture::a_live_capture_leaves_the_machine_running_until_the_point_in_time", |world| async move {
        let mut plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        plan.settings.capture = CaptureMode::Live;
        world.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!(world.cloud.count("StopInstances"), 0);
        world.clean_up().await;
        world.holds(0, 0);
    });
}

#[test]
fn a_spot_machine_is_halted_from_inside() {
    in_cloud("capture::a_spot_machine_is_halted_from_inside", |world| async move {
        let mut plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        plan.machine.spot = true;
        let candidate = world.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!(world.cloud.count("StopInstances"), 0);
        assert_eq!(candidate.parts.len(), 1);
        world.clean_up().await;
        world.holds(0, 0);
    });
}

#[test]
fn a_billing_code_goes_through_create_image_and_copy_image() {
    in_cloud("capture::a_billing_code_goes_through_create_image_and_copy_image", |world| async move {
        let plan = World::plan(world.source(RHEL).await, "1.0.0");
        let candidate = world.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!((world.cloud.count("CreateImage"), world.cloud.count("CreateSnapshots")), (1, 0));
        assert_eq!(world.cloud.count("ModifyImageAttribute"), 1, "IMDSv2 is required of the image");
        let image =
            world.register(&plan, &candidate).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!((world.cloud.count("CopyImage"), world.cloud.count("RegisterImage")), (1, 0));
        assert_eq!(image.name, "shop/web/1.0.0");
        assert!(image.parts.iter().all(|part| !candidate.parts.contains(part)));
        world.clean_up().await;
        world.holds(1, 1);
    });
}

#[test]
fn lost_answers_make_nothing_twice() {
    in_cloud("capture::lost_answers_make_nothing_twice", |world| async move {
        for action in ["CreateSnapshots", "RegisterImage"] {
            world.cloud.fault(&json!({"kind": "lose-answer", "action": action, "times": 1}));
        }
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        let candidate = world.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        world.register(&plan, &candidate).await.unwrap();
        assert_eq!((world.cloud.count("CreateSnapshots"), world.cloud.count("RegisterImage")), (1, 2));
        world.clean_up().await;
        world.holds(1, 1);
    });
}

#[test]
fn late_and_stale_answers_are_waited_out() {
    in_cloud("capture::late_and_stale_answers_are_waited_out", |world| async move {
        world.cloud.fault(&json!({"kind": "stale", "seconds": 2, "times": null}));
        world.cloud.fault(&json!({"kind": "not-found-at-first", "seconds": 2, "times": null}));
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        let candidate = world.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        world.register(&plan, &candidate).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        world.cloud.forgive();
        world.clean_up().await;
        world.holds(1, 1);
    });
}

#[test]
fn versions_share_snapshots_and_a_taken_name_is_refused() {
    in_cloud("capture::versions_share_snapshots_and_a_taken_name_is_refused", |world| async move {
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        let candidate = world.candidate(&plan).await.unwrap();
        let first = world.register(&plan, &candidate).await.unwrap();
        // The same content under another version: no machine, the first image stays.
        let mut next = plan.clone();
        next.version = semver::Version::new(1, 0, 1);
        next.settings.name = "shop/web/1.0.1".to_owned();
        let existing = Candidate { image: first.as_source(), parts: first.parts.clone() };
        let second = world.register(&next, &existing).await.unwrap();
        assert_eq!(second.parts, first.parts);
        assert_eq!(world.cloud.count("RunInstances"), 1);
        // The same version with another content is taken.
        let mut other = plan.clone();
        other.digest = ami_bake_core::plan::Digest::from_text("sha256:other");
        let error = world.register(&other, &existing).await.unwrap_err();
        assert!(error.is_taken() && error.kind() == ErrorKind::Preflight, "{error}");
        assert!(error.to_string().contains(&first.id), "{error}");
        world.clean_up().await;
        world.holds(2, 1);
        // A publication that broke off goes on with what it made.
        assert_eq!(world.register(&plan, &existing).await.unwrap().id, first.id);
        world.aws.delete_image(&world.run, &first.id).await.unwrap();
        world.holds(1, 1);
        world.aws.delete_image(&world.run, &second.id).await.unwrap();
        world.holds(0, 0);
    });
}

#[test]
fn an_unfinished_capture_is_undone_from_the_ledger() {
    in_cloud("capture::an_unfinished_capture_is_undone_from_the_ledger", |world| async move {
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        let machine = world.machine(&plan, Phase::Build, &plan.source).await;
        // The answer never comes, and the run is gone before anybody could look again.
        world.cloud.fault(&json!({"kind": "hang", "action": "DescribeSnapshots", "seconds": 600, "times": 1}));
        world.cloud.fault(&json!({"kind": "lose-answer", "action": "CreateSnapshots", "times": 1}));
        let capture = world.capture(&plan, LATER);
        let cut = tokio::time::timeout(std::time::Duration::from_secs(20), machine.capture(&world.run, &capture)).await;
        assert!(cut.is_err(), "the capture was still looking");
        let open = world.run.ledger().open_entries();
        assert!(open.iter().any(|entry| entry.kind == "snapshot" && entry.id.is_none()), "{open:?}");
        world.cloud.forgive();
        world.clean_up().await;
        world.holds(0, 0);
    });
}

#[test]
fn a_failed_snapshot_says_why() {
    in_cloud("capture::a_failed_snapshot_says_why", |world| async move {
        world.cloud.fault(&json!({"kind": "snapshot-error", "message": "Given key ID is not accessible"}));
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        let error = world.candidate(&plan).await.unwrap_err();
        assert!(error.to_string().contains("Given key ID is not accessible"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Build);
        world.clean_up().await;
        world.holds(0, 0);
    });
}

#[test]
fn sweep_takes_what_expired_and_was_never_tested() {
    in_cloud("capture::sweep_takes_what_expired_and_was_never_tested", |world| async move {
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        let published = world.register(&plan, &world.candidate(&plan).await.unwrap()).await.unwrap();
        // A later bake dies without a word, long ago.
        let next = World::plan(world.source(UBUNTU).await, "1.0.1");
        let machine = world.machine(&next, Phase::Build, &next.source).await;
        let pending = machine.capture(&world.run, &world.capture(&next, OVER)).await.unwrap();
        let candidate = pending.available(&world.run).await.unwrap();
        let expired = world.aws.expired(&world.run).await.unwrap();
        let kinds: Vec<(&str, &str)> = expired.iter().map(|one| (one.kind.as_str(), one.id.as_str())).collect();
        assert_eq!(kinds, [("image", candidate.image.id.as_str()), ("snapshot", candidate.parts[0].as_str())]);
        assert_eq!(expired[0].about, "web 1.0.1 of shop");
        for leftover in &expired {
            world.aws.remove(&world.run, leftover).await.unwrap();
        }
        assert!(world.aws.expired(&world.run).await.unwrap().is_empty());
        // An image that is tested is never taken, whoever asks.
        let mut lie = expired[0].clone();
        lie.id.clone_from(&published.id);
        assert!(world.aws.remove(&world.run, &lie).await.unwrap_err().to_string().contains("tagged as tested"));
        world.clean_up().await;
        world.holds(1, 1);
    });
}

#[test]
fn dry_runs_name_what_is_missing() {
    in_cloud("capture::dry_runs_name_what_is_missing", |world| async move {
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        let all = world.aws.permissions(&world.run, std::slice::from_ref(&plan), &[]).await.unwrap();
        let denied: Vec<_> = all.iter().filter(|one| one.allowed == Some(false)).collect();
        assert!(denied.is_empty(), "{denied:?}");
        assert!(all.iter().any(|one| one.action == "ec2:RunInstances" && one.allowed == Some(true)), "{all:?}");
        world.cloud.deny(&["ec2:RegisterImage", "ec2:RunInstances"]);
        let all = world.aws.permissions(&world.run, &[plan], &[]).await.unwrap();
        let denied: Vec<_> = all.iter().filter(|one| one.allowed == Some(false)).collect();
        assert_eq!(
            denied.iter().map(|one| one.action.as_str()).collect::<Vec<_>>(),
            ["ec2:RegisterImage", "ec2:RunInstances"]
        );
        assert!(denied[0].detail.as_ref().unwrap().contains(r#""Action":"ec2:RegisterImage""#), "{denied:?}");
        world.holds(0, 0);
    });
}

#[test]
fn what_was_just_made_is_undone_although_it_does_not_show() {
    in_cloud("capture::what_was_just_made_is_undone_although_it_does_not_show", |world| async move {
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        let machine = world.machine(&plan, Phase::Build, &plan.source).await;
        world.cloud.fault(&json!({"kind": "not-found-at-first", "action": ["DeleteSnapshot", "DescribeSnapshots"], "seconds": 4, "times": null}));
        machine.capture(&world.run, &world.capture(&plan, LATER)).await.unwrap();
        world.clean_up().await;
        world.holds(0, 0);
    });
}

#[test]
fn a_bake_makes_few_calls() {
    in_cloud("capture::a_bake_makes_few_calls", |world| async move {
        let plan = World::plan(world.source(UBUNTU).await, "1.0.0");
        world.aws.images(&world.run, &ImageQuery::default()).await.unwrap();
        let candidate = world.candidate(&plan).await.unwrap();
        let test = world.machine(&plan, Phase::Test, &candidate.image).await;
        test.destroy(&world.run).await.unwrap();
        world.register(&plan, &candidate).await.unwrap();
        world.clean_up().await;
        world.holds(1, 1);
        // What asks the same again while it waits is a poll; so are two of the looks at images, one for each registration.
        let polls = ["DescribeInstances", "DescribeSnapshots", "GetConsoleOutput", "DescribeImages"];
        let calls = world.aws.calls();
        let once: u64 =
            calls.iter().filter(|(action, _)| !polls.contains(&action.as_str())).map(|(_, count)| count).sum();
        // The other two find the source and list what there is.
        assert!(once + 2 <= 20, "{once}: {calls:?}");
    });
}

#[test]
fn sweep_takes_a_key_by_its_id() {
    in_cloud("capture::sweep_takes_a_key_by_its_id", |world| async move {
        let source = world.source(UBUNTU).await;
        let machine = world.launch(&source, &MachineSettings::default()).await.unwrap();
        machine.destroy(&world.run).await.unwrap();
        let keys = world.cloud.leaks()["123456789012/us-east-1"]["key-pairs"].clone();
        // What sweep lists of a key is the id; EC2 answers success for a name that it does not know.
        let left = Orphan {
            kind: "key-pair".to_owned(),
            id: keys[0]["id"].as_str().unwrap().to_owned(),
            region: Some("us-east-1".to_owned()),
            run: Some(world.run.id().to_owned()),
            expired: None,
            about: String::new(),
        };
        assert_eq!(world.aws.remove(&world.run, &left).await.unwrap(), Undo::Done);
        assert!(world.cloud.leaks()["123456789012/us-east-1"]["key-pairs"].is_null());
        world.clean_up().await;
        world.gone().await;
    });
}
