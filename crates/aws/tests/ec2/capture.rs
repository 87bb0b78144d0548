//! Tests of captures, registrations and deletions on the test cloud.

use ami_bake_core::ErrorKind;
use ami_bake_core::plan::{CaptureMode, MachineSettings, Phase};
use ami_bake_core::platform::{Candidate, ImageQuery, Orphan, Platform, SweepScope, Undo};
use ami_bake_testkit::wait::eventually;
use serde_json::json;

use crate::fixture::{CloudFixture, LATER, OVER, RHEL, UBUNTU, in_cloud};

#[test]
fn a_halted_capture_becomes_an_image_and_leaves_nothing() {
    in_cloud(|mut fixture| async move {
        let mut plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        plan.machine.disk.size = Some(9);
        let candidate = fixture.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!(candidate.parts.len(), 1);
        assert_eq!(fixture.cloud.count("CreateImage"), 0);
        assert!(fixture.cloud.count("GetConsoleOutput") >= 1);
        let listed = fixture.aws.images(&fixture.run, &ImageQuery::default()).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(listed[0].tested.is_none(), "a candidate is not tested");

        let image = fixture.register(&plan, &candidate).await.unwrap();
        assert_eq!((image.name.as_str(), image.available), ("shop/web/1.0.0", true));
        assert!(image.tested.is_some());
        assert_eq!(image.parts, candidate.parts);
        let listed = fixture.aws.images(&fixture.run, &ImageQuery::default()).await.unwrap();
        assert_eq!(listed.iter().map(|image| image.id.clone()).collect::<Vec<_>>(), [image.id]);
        fixture.clean_up().await;
        fixture.holds(1, 1);
        // The registered mapping has the manifest's size and gp3's own speed, not the bake's.
        let calls = fixture.cloud.calls();
        let registered = calls.iter().rfind(|call| call["action"] == "RegisterImage").unwrap();
        let ebs = &registered["parameters"]["BlockDeviceMappings"][0]["Ebs"];
        assert_eq!((&ebs["VolumeSize"], &ebs["Iops"], &ebs["Throughput"]), (&json!(9), &json!(3000), &json!(125)));
        let untagged = calls.iter().find(|call| call["action"] == "DeleteTags").unwrap();
        assert!(untagged.to_string().contains("ami-bake:expires"));
        let told = fixture.reported();
        assert!(told.iter().all(|line| !line.contains("could not")), "{told:?}");
    });
}

#[test]
fn without_a_power_line_the_stopped_state_is_waited_for() {
    in_cloud(|mut fixture| async move {
        fixture.cloud.fault(&json!({"kind": "no-power-line"}));
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let candidate = fixture.candidate(&plan).await.unwrap();
        fixture.aws.delete_image(&fixture.run, &candidate.image.id).await.unwrap();
        // A missing image is success.
        fixture.aws.delete_image(&fixture.run, &candidate.image.id).await.unwrap();
        fixture.clean_up().await;
        fixture.holds(0, 0);
        drop(fixture.reported());
    });
}

#[test]
fn a_live_capture_leaves_the_machine_running_until_the_point_in_time() {
    in_cloud(|fixture| async move {
        let mut plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        plan.settings.capture = CaptureMode::Live;
        fixture.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!(fixture.cloud.count("StopInstances"), 0);
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}

#[test]
fn a_spot_machine_is_halted_from_inside() {
    in_cloud(|fixture| async move {
        let mut plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        plan.machine.spot = true;
        let candidate = fixture.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!(fixture.cloud.count("StopInstances"), 0);
        assert_eq!(candidate.parts.len(), 1);
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}

#[test]
fn a_billing_code_goes_through_create_image_and_copy_image() {
    in_cloud(|fixture| async move {
        let plan = CloudFixture::plan(fixture.source(RHEL).await, "1.0.0");
        let candidate = fixture.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!((fixture.cloud.count("CreateImage"), fixture.cloud.count("CreateSnapshots")), (1, 0));
        assert_eq!(fixture.cloud.count("ModifyImageAttribute"), 1, "IMDSv2 is required of the image");
        let image =
            fixture.register(&plan, &candidate).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!((fixture.cloud.count("CopyImage"), fixture.cloud.count("RegisterImage")), (1, 0));
        assert_eq!(image.name, "shop/web/1.0.0");
        assert!(image.parts.iter().all(|part| !candidate.parts.contains(part)));
        fixture.clean_up().await;
        fixture.holds(1, 1);
    });
}

#[test]
fn lost_answers_make_nothing_twice() {
    in_cloud(|fixture| async move {
        for action in ["CreateSnapshots", "RegisterImage"] {
            fixture.cloud.fault(&json!({"kind": "lose-answer", "action": action, "times": 1}));
        }
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let candidate = fixture.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        fixture.register(&plan, &candidate).await.unwrap();
        assert_eq!((fixture.cloud.count("CreateSnapshots"), fixture.cloud.count("RegisterImage")), (1, 2));
        fixture.clean_up().await;
        fixture.holds(1, 1);
    });
}

#[test]
fn late_and_stale_answers_are_waited_out() {
    in_cloud(|fixture| async move {
        fixture.cloud.fault(&json!({"kind": "stale", "seconds": 2, "times": null}));
        fixture.cloud.fault(&json!({"kind": "not-found-at-first", "seconds": 2, "times": null}));
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let candidate = fixture.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        fixture.register(&plan, &candidate).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        fixture.cloud.forgive();
        fixture.clean_up().await;
        fixture.holds(1, 1);
    });
}

#[test]
fn versions_share_snapshots_and_a_taken_name_is_refused() {
    in_cloud(|fixture| async move {
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let candidate = fixture.candidate(&plan).await.unwrap();
        let first = fixture.register(&plan, &candidate).await.unwrap();
        // The same content under another version: no machine is launched, and the first image stays.
        let mut next = plan.clone();
        next.version = semver::Version::new(1, 0, 1);
        next.settings.name = "shop/web/1.0.1".to_owned();
        let existing = Candidate { image: first.as_source(), parts: first.parts.clone() };
        let second = fixture.register(&next, &existing).await.unwrap();
        assert_eq!(second.parts, first.parts);
        assert_eq!(fixture.cloud.count("RunInstances"), 1);
        // The same version with other content is refused.
        let mut other = plan.clone();
        other.digest = ami_bake_core::plan::Digest::from_text("sha256:other");
        let error = fixture.register(&other, &existing).await.unwrap_err();
        assert!(error.is_taken() && error.kind() == ErrorKind::Preflight, "{error}");
        assert!(error.to_string().contains(&first.id), "{error}");
        fixture.clean_up().await;
        fixture.holds(2, 1);
        // An interrupted publication continues with the existing resources.
        assert_eq!(fixture.register(&plan, &existing).await.unwrap().id, first.id);
        fixture.aws.delete_image(&fixture.run, &first.id).await.unwrap();
        fixture.holds(1, 1);
        fixture.aws.delete_image(&fixture.run, &second.id).await.unwrap();
        fixture.holds(0, 0);
    });
}

#[test]
fn an_unfinished_capture_is_undone_from_the_ledger() {
    in_cloud(|fixture| async move {
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let machine = fixture.machine(&plan, Phase::Build, &plan.source).await;
        // The answer never arrives, and the run is killed before it could look again.
        let looking = fixture.cloud.hold_answer("DescribeSnapshots");
        fixture.cloud.fault(&json!({"kind": "lose-answer", "action": "CreateSnapshots", "times": 1}));
        let capture = fixture.capture(&plan, LATER);
        tokio::select! {
            captured = machine.capture(&fixture.run, &capture) => panic!("{:?}", captured.map(|_| ())),
            () = eventually("the capture does not look", || looking.is_reached()) => {}
        }
        let open = fixture.run.ledger().open_entries();
        assert!(open.iter().any(|entry| entry.kind == "snapshot" && entry.id.is_none()), "{open:?}");
        fixture.cloud.forgive();
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}

#[test]
fn a_failed_snapshot_says_why() {
    in_cloud(|fixture| async move {
        fixture.cloud.fault(&json!({"kind": "snapshot-error", "message": "Given key ID is not accessible"}));
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let error = fixture.candidate(&plan).await.unwrap_err();
        assert!(error.to_string().contains("Given key ID is not accessible"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Build);
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}

#[test]
fn sweep_deletes_expired_untested_images() {
    in_cloud(|fixture| async move {
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let published = fixture.register(&plan, &fixture.candidate(&plan).await.unwrap()).await.unwrap();
        // A later bake was killed long ago.
        let next = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.1");
        let machine = fixture.machine(&next, Phase::Build, &next.source).await;
        let pending = machine.capture(&fixture.run, &fixture.capture(&next, OVER)).await.unwrap();
        let candidate = pending.available(&fixture.run).await.unwrap();
        let scope = SweepScope::default();
        let expired = fixture.aws.expired(&fixture.run, &scope).await.unwrap().found;
        let kinds: Vec<(&str, &str)> = expired.iter().map(|one| (one.kind.as_str(), one.id.as_str())).collect();
        assert_eq!(kinds, [("image", candidate.image.id.as_str()), ("snapshot", candidate.parts[0].as_str())]);
        assert_eq!(expired[0].about, "web 1.0.1 of shop");
        for leftover in &expired {
            fixture.aws.remove(&fixture.run, leftover).await.unwrap();
        }
        assert!(fixture.aws.expired(&fixture.run, &scope).await.unwrap().found.is_empty());
        // A tested image is never deleted, whoever asks.
        let mut lie = expired[0].clone();
        lie.id.clone_from(&published.id);
        assert!(fixture.aws.remove(&fixture.run, &lie).await.unwrap_err().to_string().contains("tagged as tested"));
        fixture.clean_up().await;
        fixture.holds(1, 1);
    });
}

#[test]
fn dry_runs_name_what_is_missing() {
    in_cloud(|fixture| async move {
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let all = fixture.aws.permissions(&fixture.run, std::slice::from_ref(&plan), &[]).await.unwrap();
        let denied: Vec<_> = all.iter().filter(|one| one.allowed == Some(false)).collect();
        assert!(denied.is_empty(), "{denied:?}");
        assert!(all.iter().any(|one| one.action == "ec2:RunInstances" && one.allowed == Some(true)), "{all:?}");
        fixture.cloud.deny(&["ec2:RegisterImage", "ec2:RunInstances"]);
        let all = fixture.aws.permissions(&fixture.run, &[plan], &[]).await.unwrap();
        let denied: Vec<_> = all.iter().filter(|one| one.allowed == Some(false)).collect();
        assert_eq!(
            denied.iter().map(|one| one.action.as_str()).collect::<Vec<_>>(),
            ["ec2:RegisterImage", "ec2:RunInstances"]
        );
        assert!(denied[0].detail.as_ref().unwrap().contains(r#""Action":"ec2:RegisterImage""#), "{denied:?}");
        fixture.holds(0, 0);
    });
}

#[test]
fn what_was_just_made_is_undone_although_it_does_not_show() {
    in_cloud(|fixture| async move {
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let machine = fixture.machine(&plan, Phase::Build, &plan.source).await;
        fixture.cloud.fault(&json!({"kind": "not-found-at-first", "action": ["DeleteSnapshot", "DescribeSnapshots"], "seconds": 4, "times": null}));
        machine.capture(&fixture.run, &fixture.capture(&plan, LATER)).await.unwrap();
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}

#[test]
fn a_bake_makes_few_calls() {
    in_cloud(|fixture| async move {
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        fixture.aws.images(&fixture.run, &ImageQuery::default()).await.unwrap();
        let candidate = fixture.candidate(&plan).await.unwrap();
        let test = fixture.machine(&plan, Phase::Test, &candidate.image).await;
        test.destroy(&fixture.run).await.unwrap();
        fixture.register(&plan, &candidate).await.unwrap();
        fixture.clean_up().await;
        fixture.holds(1, 1);
        // Repeated identical requests are polls; so are two of the image look-ups, one for each registration.
        let polls = ["DescribeInstances", "DescribeSnapshots", "GetConsoleOutput", "DescribeImages"];
        let calls = fixture.aws.calls();
        let once: u64 =
            calls.iter().filter(|(action, _)| !polls.contains(&action.as_str())).map(|(_, count)| count).sum();
        // The other two find the source and list existing images. A machine that boots by UEFI is asked for its variables.
        assert!(once + 2 <= 21, "{once}: {calls:?}");
    });
}

#[test]
fn sweep_deletes_a_key_by_its_id() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let machine = fixture.launch(&source, &MachineSettings::default()).await.unwrap();
        machine.destroy(&fixture.run).await.unwrap();
        let keys = fixture.cloud.leaks()["123456789012/us-east-1"]["key-pairs"].clone();
        // For a key pair, sweep lists the ID; EC2 reports success for an unknown name.
        let left = Orphan {
            kind: "key-pair".to_owned(),
            id: keys[0]["id"].as_str().unwrap().to_owned(),
            region: Some("us-east-1".to_owned()),
            role: None,
            account: None,
            run: Some(fixture.run.id().to_owned()),
            expired: None,
            about: String::new(),
        };
        assert_eq!(fixture.aws.remove(&fixture.run, &left).await.unwrap(), Undo::Done);
        assert!(fixture.cloud.leaks()["123456789012/us-east-1"]["key-pairs"].is_null());
        fixture.clean_up().await;
        fixture.gone().await;
    });
}
