//! What EC2 refuses of a manifest is said by `plan`, at its line, before anything is made.

use serde_json::json;

use crate::fixture::Fixture;

/// A manifest whose `machine`, `publish` and source are in lines 7, 8 and 9.
fn manifest(machine: &str, publish: &str, source: &str) -> String {
    format!(
        "format: 1\nname: shop\nplatform: aws\naws: {{region: us-east-1}}\nimages:\n  web:\n    machine: {machine}\n    publish: {publish}\n    source: {{ami: {source}}}\n    build: [{{run: echo hello > /opt/hello}}]\n"
    )
}

const UBUNTU: &str = "{owner: \"099720109477\", name: ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*}";

#[test]
fn each_rule_that_needs_the_cloud_is_broken_once() {
    let fixture = Fixture::new(&manifest("{}", "{}", UBUNTU));
    let plant = |name: &str, flavour: &str, fields| {
        let image = json!({"region": "us-east-1", "owner": "111122223333", "name": name, "flavour": flavour, "fields": fields,
            "volumes": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 20, "VolumeType": "gp2", "DeleteOnTermination": true}}]});
        fixture.cloud.plant(&image);
    };
    plant("windows-2025", "ubuntu", json!({"platform": "windows", "platform_details": "Windows"}));
    plant("golden", "ubuntu", json!({"boot_mode": "uefi"}));
    let own = |name: &str| format!("{{owner: \"111122223333\", name: {name}}}");
    let (windows, golden) = (own("windows-2025"), own("golden"));
    fixture.cloud.forgive_leaks();
    fixture.write("no-key", "not a key\n");
    // Fits the limit alone, but not beside the host key.
    let data = format!("{{user-data: '#!{}'}}", "x".repeat(16_100));
    fixture.write("bake.yml", &manifest(&data, "{}", UBUNTU));
    fixture.run(&["check"]).exits(0);
    let limit = "together with the machine's host key; the limit is 16384";
    fixture.run(&["plan"]).exits(3).says(limit).says("bake.yml:7:");
    for (machine, publish, source, expected, line) in [
        ("{volumes: [{device: /dev/sdg, type: gp3}]}", "{}", UBUNTU, "the volume /dev/sdg has no size", 7),
        ("{user: admin, volumes: [{device: /dev/sdf, size: 9}]}", "{}", &golden, "smaller than the 20 GiB", 7),
        ("{volumes: [{device: /dev/sdg, size: 9, iops: 3000}]}", "{}", UBUNTU, "volumes of type gp2 have no such", 7),
        (
            "{volumes: [{device: /dev/sdg, snapshot: snap-0123456789abcdef0}]}",
            "{}",
            UBUNTU,
            "does not exist in us-east-1",
            7,
        ),
        ("{disk: {size: 4}}", "{}", UBUNTU, "4 GiB is smaller than the 8 GiB", 7),
        ("{disk: {iops: 9000}}", "{}", UBUNTU, "9000 IOPS are too many for 8 GiB", 7),
        ("{type: t4g.small}", "{}", UBUNTU, "t4g.small is arm64, the image x86_64", 7),
        ("{type: z9.large}", "{}", UBUNTU, "z9.large does not exist in us-east-1", 7),
        ("{user: admin, type: m3.medium}", "{}", &golden, "m3.medium does not support the image's boot mode uefi", 7),
        ("{}", "{}", &golden, "the login name of ami-", 7),
        (
            "{connect: {jump: {host: b, user: me, key: no-key, host-key: accept-new}}}",
            "{}",
            UBUNTU,
            "could not use the jump host's key",
            7,
        ),
        (
            "{}",
            "{regions: [eu-west-1, ap-east-1]}",
            UBUNTU,
            "in ap-east-1: the region is not enabled for the account",
            8,
        ),
        ("{}", "{regions: [eu-west-9]}", UBUNTU, "in eu-west-9: the region does not exist", 8),
        (
            "{}",
            "{targets: [{role: \"arn:aws:iam::222222222222:role/publish\", regions: [ap-east-1]}]}",
            UBUNTU,
            "in ap-east-1: the region is not enabled for the account 222222222222",
            8,
        ),
        ("{user: Administrator}", "{}", &windows, "is a Windows image", 9),
    ] {
        fixture.write("bake.yml", &manifest(machine, publish, source));
        fixture.run(&["check"]).exits(0);
        fixture.run(&["plan"]).exits(4).says(expected).says(&format!("bake.yml:{line}:"));
    }
    // A bake stops at the same place, and has made nothing.
    fixture.write("bake.yml", &manifest("{type: t4g.small}", "{}", UBUNTU));
    fixture.bake().exits(4).says("no machine type of web can boot ami-");
    assert!(fixture.cloud.leaks().as_object().unwrap().is_empty(), "{:#}", fixture.cloud.leaks());
    // What the source has need not be said again, and one good type is enough.
    fixture.write("bake.yml", &manifest("{user: admin, volumes: [{device: /dev/sdf, type: gp3}]}", "{}", &golden));
    fixture.run(&["plan"]).exits(0);
    fixture.write("bake.yml", &manifest("{type: [t4g.small, t3.small]}", "{}", UBUNTU));
    fixture.run(&["plan"]).exits(0).says("not every machine type of web can boot ami-");
}
