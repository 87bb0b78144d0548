//! Launches that EC2 refuses or breaks.

use std::time::Duration;

use ami_bake_core::ErrorKind;
use ami_bake_core::ledger::Closed;
use ami_bake_core::plan::{Connect, MachineSettings, SubnetFilter, VpcFilter};
use ami_bake_core::platform::{Platform, Undo};
use ami_bake_testkit::wait::{eventually, within_limit};
use serde_json::json;

use crate::fixture::{CloudFixture, UBUNTU, in_cloud};

fn types(names: &[&str]) -> MachineSettings {
    MachineSettings { types: names.iter().map(|name| (*name).to_owned()).collect(), ..MachineSettings::default() }
}

async fn clean(fixture: &CloudFixture) {
    for entry in fixture.run.ledger().open_entries().iter().filter(|entry| entry.kind == "instance") {
        assert_eq!(fixture.aws.undo(&fixture.run, entry).await.unwrap(), Undo::Done);
        fixture.run.ledger().close_entry(entry, Closed::Deleted);
    }
    fixture.closed().await;
    fixture.gone().await;
}

#[test]
fn a_lost_answer_never_becomes_a_second_machine() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!({"kind": "lose-answer", "action": "RunInstances", "times": 2}));
        let machine = fixture.launch(&source, &types(&["t3.small", "t3a.small"])).await.unwrap();
        assert_eq!(fixture.cloud.count("RunInstances"), 3);
        assert_eq!(fixture.cloud.instances().len(), 1);
        machine.destroy(&fixture.run).await.unwrap();
        clean(&fixture).await;
    });
}

#[test]
fn without_capacity_the_next_type_is_used() {
    in_cloud(|mut fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": null, "match": {"instance_type": "t3.small"},
            "error": {"code": "InsufficientInstanceCapacity", "message": "We currently do not have sufficient t3.small capacity.", "http": 500}}));
        let machine = fixture.launch(&source, &types(&["t3.small", "t3a.small"])).await.unwrap();
        assert_eq!(machine.kind(), "t3a.small");
        let said = fixture.reported().join("\n");
        assert!(said.contains("t3.small: no capacity"), "{said}");
        machine.destroy(&fixture.run).await.unwrap();
        clean(&fixture).await;
    });
}

#[test]
fn without_capacity_in_ec2s_own_choice_the_other_zones_are_tried() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": 2,
            "error": {"code": "InsufficientFreeAddressesInSubnet", "message": "not enough free addresses", "http": 400}}));
        let machine = fixture.launch(&source, &types(&["t3.small"])).await.unwrap();
        let asked = fixture.cloud.calls_of("RunInstances");
        let subnets: Vec<_> = asked.iter().map(|call| call["parameters"]["SubnetId"].as_str()).collect();
        assert_eq!(subnets.len(), 3, "{subnets:?}");
        assert!(subnets[0].is_none() && subnets[1].is_some() && subnets[1] != subnets[2], "{subnets:?}");
        let tokens: Vec<_> = asked.iter().map(|call| call["parameters"]["ClientToken"].as_str().unwrap()).collect();
        assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2] && tokens[0] != tokens[2], "{tokens:?}");
        machine.destroy(&fixture.run).await.unwrap();

        // Named subnets are tried in their order, and no others.
        let named: Vec<String> = [subnets[2], subnets[1]].map(|subnet| subnet.unwrap().to_owned()).into();
        fixture
            .cloud
            .fault(&json!({"kind": "error", "action": "RunInstances", "times": null, "match": {"subnet_id": named[0]},
            "error": {"code": "InsufficientInstanceCapacity", "message": "none in this zone", "http": 500}}));
        fixture.cloud.forget_calls();
        let settings = MachineSettings { subnets: named.clone(), ..types(&["t3.small"]) };
        let machine = fixture.launch(&source, &settings).await.unwrap();
        let asked = fixture.cloud.calls_of("RunInstances");
        let subnets: Vec<_> = asked.iter().map(|call| call["parameters"]["SubnetId"].as_str().unwrap()).collect();
        assert_eq!(subnets, named);
        machine.destroy(&fixture.run).await.unwrap();
        clean(&fixture).await;
    });
}

/// The first text between `<name>` and its end.
fn field(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name}: {xml}"));
    rest.split('<').next().unwrap().to_owned()
}

#[test]
fn subnets_are_found_by_their_tags_and_their_vpc() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let cloud = &fixture.cloud;
        let vpc = |block: &str, name: &str| {
            let id = field(&cloud.ec2(&format!("Action=CreateVpc&CidrBlock={block}")), "vpcId");
            cloud.ec2(&format!(
                "Action=CreateTags&ResourceId.1={id}&Tag.1.Key=Name&Tag.1.Value={name}&Tag.2.Key=Stage&Tag.2.Value=test"
            ));
            id
        };
        let subnet = |vpc: &str, block: &str, tier: &str| {
            let id = field(&cloud.ec2(&format!("Action=CreateSubnet&VpcId={vpc}&CidrBlock={block}")), "subnetId");
            cloud.ec2(&format!("Action=CreateTags&ResourceId.1={id}&Tag.1.Key=Tier&Tag.1.Value={tier}"));
            id
        };
        let (main, side) = (vpc("10.1.0.0/16", "main"), vpc("10.2.0.0/16", "side"));
        let small = subnet(&main, "10.1.1.0/28", "private-a");
        let large = subnet(&main, "10.1.2.0/24", "private-b");
        subnet(&main, "10.1.3.0/24", "public");
        let elsewhere = subnet(&side, "10.2.1.0/24", "private-a");

        let tags = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        let by = |tier: &str, vpc: Option<VpcFilter>| MachineSettings {
            subnet_filter: Some(SubnetFilter { tags: tags("Tier", tier), vpc }),
            ..types(&["t3.small"])
        };
        let named = |name: &str| Some(VpcFilter::Tags(tags("Name", name)));

        // The one with the most free addresses first, then the other, and none of another VPC.
        fixture.cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": 1,
            "error": {"code": "InsufficientInstanceCapacity", "message": "none in this zone", "http": 500}}));
        let machine = fixture.launch(&source, &by("private-*", named("main"))).await.unwrap();
        let asked = cloud.calls_of("RunInstances");
        let tried: Vec<_> = asked.iter().map(|call| call["parameters"]["SubnetId"].as_str().unwrap()).collect();
        assert_eq!(tried, [large.as_str(), small.as_str()]);
        machine.destroy(&fixture.run).await.unwrap();
        let machine = fixture.launch(&source, &by("private-a", Some(VpcFilter::Id(side.clone())))).await.unwrap();
        let asked = cloud.calls_of("RunInstances");
        assert_eq!(asked.last().unwrap()["parameters"]["SubnetId"], json!(elsewhere));
        machine.destroy(&fixture.run).await.unwrap();

        for (settings, message) in [
            (by("nope", None), "no subnet with the tag Tier=nope in us-east-1".to_owned()),
            (by("public", Some(VpcFilter::Id(side.clone()))), format!("no subnet with the tag Tier=public in {side}")),
            (by("private-*", named("nope")), "no VPC with the tag Name=nope in us-east-1".to_owned()),
            (
                by("private-*", Some(VpcFilter::Tags(tags("Stage", "test")))),
                "2 VPCs have the tag Stage=test".to_owned(),
            ),
            (by("private-a", None), "are in several VPCs".to_owned()),
        ] {
            let error = fixture.launch(&source, &settings).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Preflight, "{error}");
            assert!(error.to_string().contains(&message), "{error}");
        }
        clean(&fixture).await;
    });
}

#[test]
fn a_spot_machine_is_never_one_that_loses_its_disk() {
    in_cloud(|mut fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let settings = MachineSettings { spot: true, ..types(&["m4.large", "t3.small"]) };
        let machine = fixture.launch(&source, &settings).await.unwrap();
        assert_eq!(machine.kind(), "t3.small");
        assert_eq!(fixture.cloud.count("RunInstances"), 1);
        let told = fixture.reported().join("\n");
        assert!(told.contains("m4.large is not used as spot"), "{told}");
        machine.destroy(&fixture.run).await.unwrap();
        clean(&fixture).await;
    });
}

#[test]
fn a_reached_limit_ends_the_bake_at_once() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": null,
            "error": {"code": "VcpuLimitExceeded", "message": "You have requested more vCPU capacity than your limit of 0", "http": 400}}));
        let error = fixture.launch(&source, &types(&["t3.small", "t3a.small"])).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Preflight, "{error}");
        assert!(error.help_text().unwrap().contains("Service Quotas"), "{error:?}");
        assert_eq!(fixture.cloud.count("RunInstances"), 1);
        clean(&fixture).await;
    });
}

#[test]
fn no_capacity_at_all_is_reported_with_every_attempt() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!({"kind": "error", "action": "RunInstances", "times": null,
            "error": {"code": "InsufficientInstanceCapacity", "message": "none", "http": 500}}));
        let error = fixture.launch(&source, &types(&["t3.small", "t3a.small"])).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Build);
        assert!(error.message().contains("t3.small: no capacity; t3a.small: no capacity"), "{error}");
        assert!(error.help_text().unwrap().contains("more types"), "{error:?}");
        clean(&fixture).await;
    });
}

#[test]
fn a_machine_that_dies_in_pending_is_retried_by_its_reason() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!({"kind": "pending-to-terminated", "action": "RunInstances", "times": 1,
            "state_reason": {"code": "Server.InsufficientInstanceCapacity", "message": "Server.InsufficientInstanceCapacity: none left"}}));
        let machine = fixture.launch(&source, &types(&["t3.small", "t3a.small"])).await.unwrap();
        assert_eq!(machine.kind(), "t3a.small");
        machine.destroy(&fixture.run).await.unwrap();

        fixture.cloud.fault(&json!({"kind": "pending-to-terminated", "action": "RunInstances", "times": 1,
            "state_reason": {"code": "Client.InternalError", "message": "Client.InternalError: Client error on launch"}}));
        let error = fixture.launch(&source, &types(&["t3.small", "t3a.small"])).await.err().unwrap();
        assert!(error.message().contains("instead of running"), "{error}");
        assert!(error.help_text().unwrap().contains("kms:CreateGrant"), "{error:?}");
        clean(&fixture).await;
    });
}

#[test]
fn a_type_that_fits_nowhere_is_not_tried_in_every_zone() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let error = fixture.launch(&source, &types(&["t9.gigantic", "t4g.small"])).await.err().unwrap();
        assert!(error.message().contains("t9.gigantic: InvalidParameterValue"), "{error}");
        assert!(error.message().contains("architecture"), "{error}");
        assert_eq!(fixture.cloud.count("RunInstances"), 2);
        clean(&fixture).await;
    });
}

#[test]
fn stale_and_throttled_answers_are_retried() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!([
            {"kind": "stale", "action": "DescribeInstances", "seconds": 1, "times": null},
            {"kind": "throttle", "action": ["RunInstances", "ImportKeyPair", "DescribeInstances"], "times": 3},
        ]));
        let machine = fixture.launch(&source, &MachineSettings::default()).await.unwrap();
        machine.connect(&fixture.run).await.unwrap();
        assert_eq!(fixture.cloud.instances().len(), 1);
        machine.destroy(&fixture.run).await.unwrap();
        clean(&fixture).await;
    });
}

#[test]
fn a_machine_that_powers_off_is_not_waited_for() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!({"kind": "no-sshd", "action": "RunInstances", "times": 1}));
        let own = "#cloud-config\nruncmd: ['systemd-run --on-active=2h poweroff && echo armed > /dev/kmsg']\n";
        let connect = Connect { timeout: Some(Duration::from_hours(1)), ..Connect::default() };
        let settings = MachineSettings { user_data: Some(own.to_owned()), connect, ..MachineSettings::default() };
        let machine = fixture.launch(&source, &settings).await.unwrap();
        let power_off = async {
            let console = || fixture.cloud.instances()[0]["console"].as_str().unwrap().to_owned();
            eventually("the machine's timer is not armed", || console().contains("armed")).await;
            fixture.cloud.advance(Duration::from_hours(2));
        };
        let error = tokio::join!(machine.connect(&fixture.run), power_off).0.err().unwrap();
        // Without this the port would be waited for as long as the settings say.
        assert!(error.message().contains("unexpectedly"), "{error}");
        machine.destroy(&fixture.run).await.unwrap();
        clean(&fixture).await;
    });
}

#[test]
fn a_cancelled_launch_leaves_nothing_that_the_ledger_does_not_know() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!({"kind": "lose-answer", "action": "RunInstances", "times": 1}));
        let settings = MachineSettings::default();
        let error = {
            let launch = fixture.launch(&source, &settings);
            let cancel = async {
                eventually("nothing is launched", || fixture.cloud.count("RunInstances") > 0).await;
                fixture.run.cancel.cancel();
            };
            futures::join!(launch, cancel).0.err().unwrap()
        };
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        let after = fixture.run.with_cancel(tokio_util::sync::CancellationToken::new());
        assert!(after.ledger().open_entries().iter().any(|entry| entry.kind == "instance"));
        // Resources that a machine still uses are deleted in a later round.
        within_limit("the ledger is not empty", async {
            while !after.ledger().open_entries().is_empty() {
                for entry in after.ledger().open_entries() {
                    if fixture.aws.undo(&after, &entry).await.unwrap() == Undo::Done {
                        after.ledger().close_entry(&entry, Closed::Deleted);
                    }
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })
        .await;
        fixture.gone().await;
    });
}

#[test]
fn a_missing_permission_is_named_with_its_statement() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.deny(&["ec2:RunInstances"]);
        let error = fixture.launch(&source, &MachineSettings::default()).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Preflight);
        assert!(error.message().contains("is not allowed ec2:RunInstances"), "{error}");
        let help = error.help_text().unwrap();
        assert!(help.contains(r#""Effect":"Allow","Action":"ec2:RunInstances""#), "{help}");
        clean(&fixture).await;
    });
}

#[test]
fn another_host_key_than_the_given_one_ends_the_bake() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        fixture.cloud.fault(&json!({"kind": "wrong-host-key", "action": "RunInstances", "times": 1}));
        let machine = fixture.launch(&source, &MachineSettings::default()).await.unwrap();
        let error = machine.connect(&fixture.run).await.err().unwrap();
        assert!(error.message().contains("host key"), "{error}");
        machine.destroy(&fixture.run).await.unwrap();

        // Read from the console, the machine's own key is accepted.
        let connect = Connect { host_key: Some("console".to_owned()), ..Connect::default() };
        let machine =
            fixture.launch(&source, &MachineSettings { connect, ..MachineSettings::default() }).await.unwrap();
        machine.connect(&fixture.run).await.unwrap();
        machine.destroy(&fixture.run).await.unwrap();
        clean(&fixture).await;
    });
}

#[test]
fn a_machine_known_by_its_token_alone_is_found_and_ended() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let machine = fixture.launch(&source, &MachineSettings::default()).await.unwrap();
        // The entry as a killed process left it: intended, never confirmed.
        let mut entry = fixture.run.ledger().open_entries().into_iter().find(|entry| entry.kind == "instance").unwrap();
        assert_eq!(entry.id.take().as_deref(), Some(machine.id()));
        assert_eq!(fixture.aws.undo(&fixture.run, &entry).await.unwrap(), Undo::Done);
        assert_eq!(fixture.cloud.count("TerminateInstances"), 1);
        drop(machine);
        fixture.run.ledger().close_entry(&entry, Closed::Deleted);
        // Nobody moved the machine's interface, so it uses its group to the end.
        within_limit("the ledger is not empty", async {
            while !fixture.run.ledger().open_entries().is_empty() {
                tokio::time::sleep(Duration::from_millis(200)).await;
                fixture.aws.close(&fixture.run).await.unwrap();
            }
        })
        .await;
        clean(&fixture).await;
    });
}
