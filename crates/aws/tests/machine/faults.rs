//! What EC2 does to launches, and what becomes of them.

use ami_bake_core::Kind;
use ami_bake_core::plan::{Connect, MachineSettings};
use ami_bake_core::platform::{Platform, Undo};
use ami_bake_testkit::cloud::Cloud;
use serde_json::json;

use crate::bed::{Bed, closed};
use crate::cloud::{calls, gone, on_cloud};

fn types(names: &[&str]) -> MachineSettings {
    MachineSettings { types: names.iter().map(|name| (*name).to_owned()).collect(), ..MachineSettings::default() }
}

async fn clean(bed: &Bed, cloud: &Cloud) {
    for entry in bed.run.ledger().open_entries().iter().filter(|entry| entry.kind == "instance") {
        assert_eq!(bed.aws.undo(&bed.run, entry).await.unwrap(), Undo::Done);
        bed.run.ledger().close_entry(entry, ami_bake_core::ledger::Closed::Deleted).unwrap();
    }
    closed(bed).await;
    gone(cloud).await;
}

#[test]
fn a_lost_answer_never_becomes_a_second_machine() {
    on_cloud("faults::a_lost_answer_never_becomes_a_second_machine", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        cloud.fault(&json!({"kind": "lose-answer", "action": "RunInstances", "times": 2}));
        let machine = bed.launch(&source, &types(&["t3.small", "t3a.small"])).await.unwrap();
        assert_eq!(calls(&cloud, "RunInstances").len(), 3);
        assert_eq!(cloud.instances().len(), 1);
        machine.destroy(&bed.run).await.unwrap();
        clean(&bed, &cloud).await;
    });
}

#[test]
fn without_capacity_the_next_type_is_taken() {
    on_cloud("faults::without_capacity_the_next_type_is_taken", |cloud| async move {
        let mut bed = Bed::new().await;
        let source = bed.ubuntu().await;
        cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": null, "match": {"instance_type": "t3.small"},
            "error": {"code": "InsufficientInstanceCapacity", "message": "We currently do not have sufficient t3.small capacity.", "http": 500}}));
        let machine = bed.launch(&source, &types(&["t3.small", "t3a.small"])).await.unwrap();
        assert_eq!(machine.kind(), "t3a.small");
        let said = bed.said();
        assert!(said.contains("t3.small: no capacity"), "{said}");
        machine.destroy(&bed.run).await.unwrap();
        clean(&bed, &cloud).await;
    });
}

#[test]
fn no_capacity_at_all_is_told_with_every_attempt() {
    on_cloud("faults::no_capacity_at_all_is_told_with_every_attempt", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": null,
            "error": {"code": "InsufficientInstanceCapacity", "message": "none", "http": 500}}));
        let error = bed.launch(&source, &types(&["t3.small", "t3a.small"])).await.err().unwrap();
        assert_eq!(error.kind(), Kind::Build);
        assert!(error.message().contains("t3.small: no capacity; t3a.small: no capacity"), "{error}");
        assert!(error.help_text().unwrap().contains("more types"), "{error:?}");
        clean(&bed, &cloud).await;
    });
}

#[test]
fn a_machine_that_dies_in_pending_is_judged_by_its_reason() {
    on_cloud("faults::a_machine_that_dies_in_pending_is_judged_by_its_reason", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        cloud.fault(&json!({"kind": "pending-to-terminated", "action": "RunInstances", "times": 1,
            "state_reason": {"code": "Server.InsufficientInstanceCapacity", "message": "Server.InsufficientInstanceCapacity: none left"}}));
        let machine = bed.launch(&source, &types(&["t3.small", "t3a.small"])).await.unwrap();
        assert_eq!(machine.kind(), "t3a.small");
        machine.destroy(&bed.run).await.unwrap();

        cloud.fault(&json!({"kind": "pending-to-terminated", "action": "RunInstances", "times": 1,
            "state_reason": {"code": "Client.InternalError", "message": "Client.InternalError: Client error on launch"}}));
        let error = bed.launch(&source, &types(&["t3.small", "t3a.small"])).await.err().unwrap();
        assert!(error.message().contains("instead of running"), "{error}");
        assert!(error.help_text().unwrap().contains("kms:CreateGrant"), "{error:?}");
        clean(&bed, &cloud).await;
    });
}

#[test]
fn a_type_that_fits_nowhere_is_told_without_trying_every_place() {
    on_cloud("faults::a_type_that_fits_nowhere_is_told_without_trying_every_place", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        let error = bed.launch(&source, &types(&["t9.gigantic", "t4g.small"])).await.err().unwrap();
        assert!(error.message().contains("t9.gigantic: InvalidParameterValue"), "{error}");
        assert!(error.message().contains("architecture"), "{error}");
        assert_eq!(calls(&cloud, "RunInstances").len(), 2);
        clean(&bed, &cloud).await;
    });
}

#[test]
fn stale_and_throttled_answers_only_cost_time() {
    on_cloud("faults::stale_and_throttled_answers_only_cost_time", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        cloud.fault(&json!([
            {"kind": "stale", "action": "DescribeInstances", "seconds": 1, "times": null},
            {"kind": "throttle", "action": ["RunInstances", "ImportKeyPair", "DescribeInstances"], "times": 3},
        ]));
        let machine = bed.launch(&source, &MachineSettings::default()).await.unwrap();
        machine.connect(&bed.run).await.unwrap();
        assert_eq!(cloud.instances().len(), 1);
        machine.destroy(&bed.run).await.unwrap();
        clean(&bed, &cloud).await;
    });
}

#[test]
fn a_machine_that_ends_itself_is_told_at_once() {
    on_cloud("faults::a_machine_that_ends_itself_is_told_at_once", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        cloud.fault(&json!({"kind": "no-sshd", "action": "RunInstances", "times": 1}));
        let own = "#cloud-config\nruncmd: [sleep 5; poweroff]\n";
        let settings = MachineSettings { user_data: Some(own.to_owned()), ..MachineSettings::default() };
        let machine = bed.launch(&source, &settings).await.unwrap();
        let began = std::time::Instant::now();
        let error = machine.connect(&bed.run).await.err().unwrap();
        assert!(began.elapsed().as_secs() < 60, "not the five minutes of the port: {error}");
        assert!(error.message().contains("by itself"), "{error}");
        machine.destroy(&bed.run).await.unwrap();
        clean(&bed, &cloud).await;
    });
}

#[test]
fn a_cancelled_launch_leaves_nothing_that_the_ledger_does_not_know() {
    on_cloud("faults::a_cancelled_launch_leaves_nothing_that_the_ledger_does_not_know", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        cloud.fault(&json!({"kind": "lose-answer", "action": "RunInstances", "times": 1}));
        let settings = MachineSettings::default();
        let error = {
            let launch = bed.launch(&source, &settings);
            let cancel = async {
                while calls(&cloud, "RunInstances").is_empty() {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                bed.run.cancel.cancel();
            };
            futures::join!(launch, cancel).0.err().unwrap()
        };
        assert_eq!(error.kind(), Kind::Cancelled, "{error}");
        let after = bed.run.with_cancel(tokio_util::sync::CancellationToken::new());
        assert!(after.ledger().open_entries().iter().any(|entry| entry.kind == "instance"));
        // What a machine still holds goes in a later round.
        for _ in 0..100 {
            for entry in after.ledger().open_entries() {
                if bed.aws.undo(&after, &entry).await.unwrap() == Undo::Done {
                    after.ledger().close_entry(&entry, ami_bake_core::ledger::Closed::Deleted).unwrap();
                }
            }
            if after.ledger().open_entries().is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        assert_eq!(after.ledger().open_entries(), []);
        gone(&cloud).await;
    });
}

#[test]
fn a_missing_permission_is_named_with_its_statement() {
    on_cloud("faults::a_missing_permission_is_named_with_its_statement", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        cloud.deny(&["ec2:RunInstances"]);
        let error = bed.launch(&source, &MachineSettings::default()).await.err().unwrap();
        assert_eq!(error.kind(), Kind::Preflight);
        assert!(error.message().contains("is not allowed ec2:RunInstances"), "{error}");
        let help = error.help_text().unwrap();
        assert!(help.contains(r#""Effect":"Allow","Action":"ec2:RunInstances""#), "{help}");
        clean(&bed, &cloud).await;
    });
}

#[test]
fn another_host_key_than_the_given_one_ends_the_bake() {
    on_cloud("faults::another_host_key_than_the_given_one_ends_the_bake", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        cloud.fault(&json!({"kind": "wrong-host-key", "action": "RunInstances", "times": 1}));
        let machine = bed.launch(&source, &MachineSettings::default()).await.unwrap();
        let error = machine.connect(&bed.run).await.err().unwrap();
        assert!(error.message().contains("host key"), "{error}");
        machine.destroy(&bed.run).await.unwrap();

        // Read from the console, the machine's own key is the right one.
        let connect = Connect { host_key: Some("console".to_owned()), ..Connect::default() };
        let machine = bed.launch(&source, &MachineSettings { connect, ..MachineSettings::default() }).await.unwrap();
        machine.connect(&bed.run).await.unwrap();
        machine.destroy(&bed.run).await.unwrap();
        clean(&bed, &cloud).await;
    });
}

#[test]
fn a_machine_known_by_its_token_alone_is_found_and_ended() {
    on_cloud("faults::a_machine_known_by_its_token_alone_is_found_and_ended", |cloud| async move {
        let bed = Bed::new().await;
        let source = bed.ubuntu().await;
        let machine = bed.launch(&source, &MachineSettings::default()).await.unwrap();
        // As a process that was killed in the middle left it: intended, never confirmed.
        let mut entry = bed.run.ledger().open_entries().into_iter().find(|entry| entry.kind == "instance").unwrap();
        assert_eq!(entry.id.take().as_deref(), Some(machine.id()));
        assert_eq!(bed.aws.undo(&bed.run, &entry).await.unwrap(), Undo::Done);
        assert_eq!(calls(&cloud, "TerminateInstances").len(), 1);
        drop(machine);
        bed.run.ledger().close_entry(&entry, ami_bake_core::ledger::Closed::Deleted).unwrap();
        // Nobody moved its interface, so that it holds its group to the end.
        for _ in 0..100 {
            bed.aws.close(&bed.run).await.unwrap();
            if bed.run.ledger().open_entries().is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        clean(&bed, &cloud).await;
    });
}
