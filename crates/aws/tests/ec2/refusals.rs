//! Captures that EC2 refuses, throttles or breaks, and cancelled captures, on the test cloud.

use ami_bake_core::ErrorKind;
use ami_bake_core::plan::{MachineSettings, Phase};
use ami_bake_testkit::wait::eventually;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::fixture::{CloudFixture, LATER, RHEL, UBUNTU, in_cloud};

#[test]
fn a_missing_permission_names_action_and_statement() {
    in_cloud(|fixture| async move {
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        fixture.cloud.deny(&["ec2:CreateSnapshots"]);
        let error = fixture.candidate(&plan).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Preflight);
        assert!(error.to_string().contains("is not allowed ec2:CreateSnapshots"), "{error}");
        assert!(error.help_text().unwrap().contains(r#""Action":"ec2:CreateSnapshots""#));
        assert!(fixture.run.ledger().open_entries().iter().all(|entry| entry.kind != "snapshot"));
        fixture.cloud.deny(&[]);
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}

#[test]
fn without_the_console_the_stopped_state_is_waited_for() {
    in_cloud(|mut fixture| async move {
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        fixture.cloud.deny(&["ec2:GetConsoleOutput"]);
        fixture.candidate(&plan).await.unwrap();
        assert_eq!(fixture.cloud.count("GetConsoleOutput"), 1);
        let told = fixture.reported();
        assert!(told.iter().any(|line| line.contains("can't be read (UnauthorizedOperation)")), "{told:?}");
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}

#[test]
fn throttles_and_server_errors_are_sat_out() {
    in_cloud(|fixture| async move {
        for action in ["CreateSnapshots", "RegisterImage", "StopInstances", "CreateTags", "DeregisterImage"] {
            fixture.cloud.fault(&json!({"kind": "throttle", "action": action, "times": 1}));
        }
        let broken = json!({"code": "InternalError", "message": "An internal error has occurred", "http": 500});
        for action in ["CreateSnapshots", "RegisterImage"] {
            fixture.cloud.fault(&json!({"kind": "error", "action": action, "times": 1, "error": broken}));
        }
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let candidate = fixture.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        fixture.register(&plan, &candidate).await.unwrap();
        fixture.clean_up().await;
        fixture.holds(1, 1);
    });
}

#[test]
fn an_image_that_fails_says_why() {
    in_cloud(|fixture| async move {
        let reason = json!({"code": "Client.InternalError", "message": "Client error on image"});
        fixture.cloud.fault(&json!({"kind": "image-failed", "action": "*", "state_reason": reason}));
        let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        let error = fixture.candidate(&plan).await.unwrap_err();
        assert!(error.to_string().contains("Client error on image"), "{error}");
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}

#[test]
fn a_lost_create_image_is_found_by_its_name() {
    in_cloud(|fixture| async move {
        fixture.cloud.fault(&json!({"kind": "lose-answer", "action": "CreateImage", "times": 1}));
        let plan = CloudFixture::plan(fixture.source(RHEL).await, "1.0.0");
        fixture.candidate(&plan).await.unwrap_or_else(|error| panic!("{error} {:?}", error.causes()));
        assert_eq!(fixture.cloud.count("CreateImage"), 1);
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}

#[test]
fn a_cancel_while_the_guest_goes_down_leaves_nothing() {
    in_cloud(|fixture| async move {
        // A guest that ignores its power button never prints its last line.
        fixture.cloud.latency(&json!({"stop_api_to_stopped": 36000}));
        fixture.cloud.fault(&json!({"kind": "ignore-power-button"}));
        cancelled_at(fixture, "GetConsoleOutput").await;
    });
}

#[test]
fn a_cancel_while_the_snapshots_are_made_leaves_nothing() {
    in_cloud(|fixture| async move {
        let _snapshots = fixture.cloud.hold("CreateSnapshots");
        cancelled_at(fixture, "DescribeSnapshots").await;
    });
}

/// Cancels the run while it polls with `action` for a state that never comes: the wait ends, and the ledger has the
/// resources to delete.
async fn cancelled_at(fixture: CloudFixture, action: &str) {
    let plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
    let run = fixture.run.with_cancel(CancellationToken::new());
    let machine = fixture.machine(&plan, Phase::Build, &plan.source).await;
    let capture = fixture.capture(&plan, LATER);
    let captured = async {
        let candidate = machine.capture(&run, &capture).await?.available(&run).await;
        candidate.map(|_| ())
    };
    let cancel = async {
        eventually("the run does not wait", || fixture.cloud.count(action) > 0).await;
        run.cancel.cancel();
    };
    let (captured, ()) = tokio::join!(captured, cancel);
    assert_eq!(captured.unwrap_err().kind(), ErrorKind::Cancelled, "{action}");
    fixture.clean_up().await;
    fixture.holds(0, 0);
}

/// Resources that the manifest names exist, or are a typo: waiting for them is pointless.
#[test]
fn a_typo_of_the_manifest_fails_at_once() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let profile = MachineSettings { profile: Some("nope".to_owned()), ..MachineSettings::default() };
        let error = fixture.launch(&source, &profile).await.map(|_| ()).unwrap_err();
        assert!(error.help_text().unwrap().contains("machine: {profile: …}"), "{error:?}");
        assert_eq!(fixture.cloud.count("RunInstances"), 1);

        fixture.cloud.forget_calls();
        let groups = vec!["sg-0123456789abcdef0".to_owned()];
        let error = fixture
            .launch(&source, &MachineSettings { security_groups: groups, ..MachineSettings::default() })
            .await
            .map(|_| ())
            .unwrap_err();
        assert!(error.help_text().unwrap().contains("security-groups"), "{error:?}");
        assert_eq!(fixture.cloud.count("RunInstances"), 1);
        fixture.clean_up().await;
        fixture.gone().await;
    });
}

/// Each family of types has a quota of its own.
#[test]
fn a_used_up_quota_leads_to_types_that_are_counted_apart() {
    in_cloud(|mut fixture| async move {
        let full = json!({"code": "VcpuLimitExceeded", "message": "You have requested more vCPU capacity than your current vCPU limit", "http": 400});
        fixture.cloud.fault(&json!({"kind": "error", "action": "RunInstances", "match": {"instance_type": ["t3.*", "m5.*"]}, "times": null, "error": full}));
        let source = fixture.source(UBUNTU).await;
        let types = |types: &[&str]| MachineSettings {
            types: types.iter().map(|one| (*one).to_owned()).collect(),
            ..MachineSettings::default()
        };
        let machine = fixture.launch(&source, &types(&["t3.small", "m5.large", "g4dn.xlarge"])).await.unwrap();
        assert_eq!(machine.kind(), "g4dn.xlarge");
        assert_eq!(fixture.cloud.count("RunInstances"), 2, "m5 counts with t3");
        assert!(fixture.reported().iter().any(|line| line.contains("t3.small: the account's vCPU quota is used up")));
        let error = fixture.launch(&source, &types(&["t3.small"])).await.map(|_| ()).unwrap_err();
        assert!(error.help_text().unwrap().contains("Service Quotas"), "{error:?}");
        fixture.clean_up().await;
        fixture.gone().await;
    });
}

#[test]
fn a_bad_name_is_refused_before_the_machine_is_touched() {
    in_cloud(|fixture| async move {
        let mut plan = CloudFixture::plan(fixture.source(UBUNTU).await, "1.0.0");
        plan.settings.name = "shop/web:1.0.0".to_owned();
        let error = fixture.candidate(&plan).await.unwrap_err();
        assert!(error.to_string().contains("':' at character 9"), "{error}");
        assert_eq!(fixture.cloud.count("StopInstances"), 0);
        fixture.clean_up().await;
        fixture.holds(0, 0);
    });
}
