//! The life of machines without failures.

use std::time::Duration;

use ami_bake_core::plan::{Disk, ImageKey, MachineSettings};
use ami_bake_core::platform::Keep;

use crate::fixture::{UBUNTU, in_cloud, said_by};

#[test]
fn a_machine_is_connected_rebooted_and_terminated() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let machine = fixture.launch(&source, &MachineSettings::default()).await.unwrap();
        assert_eq!(machine.kind(), "t3.small");
        assert!(machine.place().starts_with("us-east-1"), "{}", machine.place());
        let communicator = machine.connect(&fixture.run).await.unwrap();
        assert_eq!(said_by(&*communicator, "id -un").await, "root");

        // The self-termination timer is armed, in /run only.
        let timers = said_by(&*communicator, "systemctl list-timers").await;
        assert!(timers.contains("ami-bake-deadman"), "{timers}");

        let boot = said_by(&*communicator, "cat /proc/sys/kernel/random/boot_id").await;
        machine.reboot(&fixture.run, Duration::from_mins(10)).await.unwrap();
        assert_ne!(said_by(&*communicator, "cat /proc/sys/kernel/random/boot_id").await, boot);
        let timers = said_by(&*communicator, "systemctl list-timers").await;
        assert!(timers.contains("ami-bake-deadman"), "armed again: {timers}");

        // The parameters of RunInstances.
        let launches = fixture.cloud.calls_of("RunInstances");
        assert_eq!(launches.len(), 1, "{launches:?}");
        let asked = launches[0]["parameters"].to_string();
        assert!(asked.contains(r#""HttpTokens":"required""#), "{asked}");
        assert!(asked.contains(r#""InstanceInitiatedShutdownBehavior":"terminate""#), "{asked}");
        for tag in ["ami-bake:run", "ami-bake:expires", "ami-bake:image", "ami-bake:repository"] {
            assert!(asked.contains(tag), "{tag}: {asked}");
        }

        machine.destroy(&fixture.run).await.unwrap();
        machine.destroy(&fixture.run).await.unwrap();
        fixture.closed().await;
        fixture.gone().await;
    });
}

#[test]
fn bakes_of_one_run_share_key_and_group() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let settings = MachineSettings::default();
        let keys = [ImageKey::new("a"), ImageKey::new("b"), ImageKey::new("c")];
        let machines =
            futures::future::join_all(keys.iter().map(|key| fixture.launch_for(key, &source, &settings))).await;
        let machines: Vec<_> = machines.into_iter().map(Result::unwrap).collect();
        futures::future::join_all(machines.iter().map(|machine| async {
            let communicator = machine.connect(&fixture.run).await.unwrap();
            assert_eq!(said_by(&*communicator, "id -u").await, "0");
        }))
        .await;
        assert_eq!(fixture.cloud.count("ImportKeyPair"), 1);
        assert_eq!(fixture.cloud.count("CreateSecurityGroup"), 1);
        assert_eq!(fixture.cloud.count("RunInstances"), 3);
        let rule = fixture.cloud.calls_of("AuthorizeSecurityGroupIngress")[0]["parameters"].to_string();
        assert!(rule.contains("127.0.0.1/32") && !rule.contains("0.0.0.0/0"), "{rule}");
        futures::future::join_all(machines.iter().map(|machine| machine.destroy(&fixture.run))).await;
        fixture.closed().await;
        fixture.gone().await;
    });
}

#[test]
fn user_data_policy_spot_and_disk_of_the_manifest_are_kept() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let settings = MachineSettings {
            spot: true,
            types: vec!["m5.large".to_owned()],
            user_data: Some("#!/bin/sh\necho from the manifest > /root/mark\n".to_owned()),
            policy: Some(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#
                    .to_owned(),
            ),
            disk: Disk { size: Some(12), kind: Some("gp3".to_owned()), ..Disk::default() },
            ..MachineSettings::default()
        };
        let machine = fixture.launch(&source, &settings).await.unwrap();
        let communicator = machine.connect(&fixture.run).await.unwrap();
        // cloud-init was waited for, and the pinned host key was in the same user data.
        assert_eq!(said_by(&*communicator, "cat /root/mark").await, "from the manifest");
        let asked = fixture.cloud.calls_of("RunInstances")[0]["parameters"].to_string();
        assert!(asked.contains(r#""MarketType":"spot""#), "{asked}");
        assert!(asked.contains(r#""Iops":"4000""#) || asked.contains(r#""Iops":4000"#), "{asked}");
        machine.destroy(&fixture.run).await.unwrap();
        fixture.closed().await;
        fixture.gone().await;
    });
}

#[test]
fn a_kept_machine_can_be_reached_by_hand() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let machine = fixture.launch(&source, &MachineSettings::default()).await.unwrap();
        machine.connect(&fixture.run).await.unwrap();
        let folder = std::env::temp_dir().join(format!("ami-bake-keep-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let own = ami_bake_ssh::Key::generate(ami_bake_ssh::KeyType::Ed25519, "a person").unwrap();
        own.write(&folder.join("own")).unwrap();
        let keep = Keep { folder: folder.clone(), key: Some(own.public().line()) };
        let line = machine.keep(&fixture.run, &keep).await.unwrap();
        let (command, rest) = line.split_once(" # ").unwrap();
        assert!(rest.contains("two hours"), "{line}");
        // With the bake's key, and with the user's own.
        for key in [format!("{}.key", machine.id()), "own".to_owned()] {
            let command = command.replace(&format!("{}.key", machine.id()), &key);
            let output =
                std::process::Command::new("sh").arg("-c").arg(format!("{command} sudo id -un")).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "root", "{line}: {output:?}");
        }
        // The kept machine's resources do not belong to the run any more; the others are deleted.
        fixture.closed().await;
        assert_eq!(fixture.cloud.count("DeleteSecurityGroup"), 0);
        std::fs::remove_dir_all(folder).unwrap();
    });
}
