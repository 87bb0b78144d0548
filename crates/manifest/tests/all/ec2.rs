//! Settings that EC2 would refuse are refused by `check`, with their line, without a cloud.

use std::path::PathBuf;

use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Manifest, Options};

/// The findings about an image for AWS with `machine` and `publish` in lines 8 and 9.
fn said(machine: &str, publish: &str, aws: &str) -> String {
    let manifest = format!(
        "format: 1\nname: shop\nversion: 1.2.3\nplatform: aws\naws: {{region: us-east-1{aws}}}\nimages:\n  web:\n    machine: {machine}\n    publish: {publish}\n    source: {{ami: {{owner: \"099720109477\", name: x}}}}\n    build: [{{run: 'true'}}]\n"
    );
    let options = Options { check: true, ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", &manifest, PathBuf::new(), &options);
    text(&loaded.findings, &loaded.sources, Style::Plain)
}

#[test]
fn each_rule_of_ec2_is_broken_once() {
    let tags = |count: usize| (0..count).map(|number| format!("k{number}: v")).collect::<Vec<_>>().join(", ");
    let many = format!("{{tags: {{{}}}}}", tags(60));
    let data = format!("{{user-data: '#!{}'}}", "x".repeat(16_400));
    for (machine, expected) in [
        ("{disk: {type: io1}}", "needs `iops`"),
        ("{disk: {type: gp2, iops: 4000}}", "have no `iops` setting"),
        ("{disk: {type: gp2, throughput: 250}}", "have no `throughput` setting"),
        ("{disk: {type: gp3, iops: 500}}", "can't have 500 IOPS"),
        ("{disk: {type: gp3, size: 8, iops: 16000}}", "16000 IOPS are too many for 8 GiB"),
        ("{disk: {type: gp2, size: 65536}}", "can't have 65536 GiB"),
        ("{disk: {type: standard, iops: 500}}", "have no `iops` setting"),
        ("{disk: {type: st1, size: 500}}", "the root volume can't be of type st1"),
        ("{disk: {encrypted: false, kms-key: alias/x}}", "a volume that is not encrypted has no key"),
        ("{connect: {host-key: ssh-ed25519 zzz}}", "the host key is not valid"),
        (
            "{connect: {jump: {host: b, user: me, host-key: ssh-ed25519 zzz}}}",
            "the host key is not valid: what follows `ssh-ed25519` is not base64",
        ),
        (
            "{volumes: [{device: /dev/sdf, size: 5}, {device: sdf, size: 9}]}",
            "/dev/sdf is already the device of volume 1",
        ),
        (many.as_str(), "too many tags: 60"),
        ("{tags: {\"aws:owner\": me}}", "aws:owner"),
        ("{tags: {\"ami-bake:run\": mine}}", "ami-bake:run"),
        ("{lifetime: 0s}", "`lifetime` is shorter than a minute"),
        (data.as_str(), "the limit is 16384"),
        (
            "{connect: {jump: {host: bastion.example, user: me}}}",
            "the host key of the jump host bastion.example is missing",
        ),
        (
            "{connect: {jump: {host: b, user: me, key: keys/none, host-key: accept-new}}}",
            "the key of the jump host can't be read",
        ),
        ("{security-groups: [default]}", "`default` is not a valid security group ID"),
        ("{subnet: sub-123}", "`sub-123` is not a valid subnet ID"),
        ("{type: t3.gigantic}", "`t3.gigantic` is not a valid machine type"),
        ("{type: ' t3.small'}", "is not a valid machine type"),
        ("{user: -oProxyCommand=x}", "is not a valid login name"),
    ] {
        let said = said(machine, "{}", "");
        assert!(said.contains(expected) && said.contains("bake.yml:8:"), "{machine}: {said}");
    }
    for (publish, expected) in [
        ("{deprecate-after: 0s}", "can't be deprecated when it is published"),
        ("{deprecate-after: 5000d}", "an image can't be deprecated later than after 10 years"),
        (
            "{deprecate-after: 1000d, share: {public: true}}",
            "a public image can't be deprecated later than after 2 years",
        ),
        ("{description: \"line one\\nline two\"}", "the description contains '\\n'"),
        ("{description: \"für Büro\"}", "the description contains 'ü'"),
        ("{regions: [us-west-2, us-west-2]}", "the region us-west-2 is listed twice"),
        ("{regions: [us-wset-2]}", "`us-wset-2` is not a valid AWS region"),
    ] {
        let said = said("{}", publish, "");
        assert!(said.contains(expected) && said.contains("bake.yml:9:"), "{publish}: {said}");
    }
    for (aws, expected) in [(", tags: {Name: x}", "Name"), (", tags: {\"ami-bake:run\": x}", "ami-bake:run")] {
        let said = said("{}", "{}", aws);
        assert!(said.contains(expected) && said.contains("bake.yml:5:"), "{aws}: {said}");
    }
    let said_of_test = said("{}", "{}\n    test-connect: {key: keys/none}", "");
    assert!(said_of_test.contains("the key of `test-connect` can't be read") && said_of_test.contains("bake.yml:10:"));
    let policy =
        "{policy: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 's3:GetObject', Resource: '*'}]}}";
    let said = said(policy, "{}", ", tags: {team: 'a*b'}");
    assert!(said.contains("it contains '*'"), "{said}");
}

#[test]
fn what_ec2_takes_is_taken() {
    for (machine, publish) in [
        ("{disk: {type: gp3, size: 8, iops: 4000, throughput: 1000}}", "{deprecate-after: 3650d}"),
        (
            "{disk: {size: 16, iops: 4000}, volumes: [{device: /dev/sdf, size: 5}, {device: sdg, size: 125, type: st1}]}",
            "{}",
        ),
        (
            "{type: [u7i-12tb.224xlarge, m7i-flex.large, c5.metal, m7i.metal-24xl, mac2-m2pro.metal, p4d.24xlarge, t2.nano]}",
            "{}",
        ),
        ("{volumes: [{device: /dev/sdf, type: gp3}]}", "{}"),
        ("{subnet: subnet-0123456789abcdef0, security-groups: [sg-0123abcd], user: ec2-user, lifetime: 5m}", "{}"),
        (
            "{}",
            "{regions: [us-east-1, ap-southeast-7, mx-central-1, us-gov-west-1, eusc-de-east-1, il-central-1], description: 'A web server (nginx)'}",
        ),
    ] {
        let said = said(machine, publish, ", tags: {team: web, 'cost:center': '42'}");
        assert!(!said.contains("error["), "{machine} {publish}: {said}");
    }
}
