//! Machines without the address that they are to be reached at, and machines that nobody logs in to.

use std::time::Duration;

use ami_bake_core::plan::{AddressKind, Connect, MachineSettings};

use crate::fixture::{CloudFixture, UBUNTU, in_cloud, said_by};

/// Makes no subnet assign public addresses.
fn no_public_addresses(fixture: &CloudFixture) {
    let subnets = fixture.cloud.ec2("Action=DescribeSubnets");
    for subnet in subnets.split("<subnetId>").skip(1).filter_map(|rest| rest.split('<').next()) {
        fixture.cloud.ec2(&format!("Action=ModifySubnetAttribute&SubnetId={subnet}&MapPublicIpOnLaunch.Value=false"));
    }
}

#[test]
fn a_machine_without_the_wanted_address_is_refused_with_what_to_do() {
    in_cloud(|fixture| async move {
        no_public_addresses(&fixture);
        let source = fixture.source(UBUNTU).await;
        let of = |address| MachineSettings {
            connect: Connect { address: Some(address), ..Connect::default() },
            ..MachineSettings::default()
        };
        for (address, kind, help) in [
            (AddressKind::Public, "no public address", "public-ip: true"),
            (AddressKind::Ipv6, "no IPv6 address", "has an IPv6 range"),
        ] {
            // The address of whoever connects over IPv6 is not looked for.
            let settings = MachineSettings { ingress: vec!["2001:db8::7/128".to_owned()], ..of(address) };
            let error = fixture.launch(&source, &settings).await.err().unwrap();
            assert!(error.message().contains(kind), "{error}");
            assert!(error.help_text().unwrap().contains(help), "{error}");
        }
        // The launch has the last word.
        let settings = MachineSettings { public_ip: Some(true), ..of(AddressKind::Public) };
        let machine = fixture.launch(&source, &settings).await.unwrap();
        let communicator = machine.connect(&fixture.run).await.unwrap();
        assert_eq!(said_by(&*communicator, "id -u").await, "0");
        // Without a wish the private address is enough.
        let machine = fixture.launch(&source, &MachineSettings::default()).await.unwrap();
        machine.connect(&fixture.run).await.unwrap();
    });
}

/// Nobody can set a timer on the machine: its own boot does.
#[test]
fn a_machine_without_a_login_ends_by_itself() {
    in_cloud(|fixture| async move {
        let source = fixture.source(UBUNTU).await;
        let connect = Connect { outside: Some(Vec::new()), ..Connect::default() };
        for user_data in [None, Some("#!/bin/sh\ntrue\n".to_owned())] {
            let settings = MachineSettings { user_data, connect: connect.clone(), ..MachineSettings::default() };
            let machine = fixture.launch(&source, &settings).await.unwrap();
            machine.booted(&fixture.run).await.unwrap();
        }
        fixture.cloud.advance(Duration::from_mins(50));
        assert!(fixture.cloud.instances().iter().all(|one| one["state"] == "running"));
        fixture.cloud.advance(Duration::from_hours(1));
        ami_bake_testkit::wait::until_true("a machine did not end", || {
            fixture.cloud.instances().iter().all(|one| one["state"] == "terminated")
        });
    });
}
