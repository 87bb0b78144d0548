//! The runs that get the faults: together the scenarios make every call that a bake can make.

use std::path::Path;

use ami_bake_testkit::cloud::Cloud;
use ami_bake_testkit::wait;

use crate::fixture::{Fixture, WEB, binary};
use crate::fleet::{HOME, group, template};
use crate::owner::{ec2, element};

/// A manifest, and the resources of the account's owner before it is baked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    /// Name of the scenario in the table.
    pub(super) name: &'static str,
    manifest: fn() -> String,
    prepare: fn(&Fixture),
}

/// All of them.
pub(super) const ALL: [Scenario; 3] = [
    Scenario { name: "rollout", manifest: rollout, prepare: prepare_rollout },
    Scenario { name: "product", manifest: product, prepare: |_| {} },
    Scenario { name: "replace", manifest: replace, prepare: prepare_group },
];

impl Scenario {
    /// Creates a cloud with everything prepared, which counts neither as leaks nor as calls.
    pub(super) fn set_up(&self) -> Fixture {
        let fixture = Fixture::on(Cloud::start(Path::new(binary())), &(self.manifest)());
        (self.prepare)(&fixture);
        fixture.cloud.forget_calls();
        fixture
    }
}

const STEPS: &str = "    build:\n      - run: echo hello > /opt/hello\n    test:\n      - run: test -e /opt/hello\n";

/// Everything that is created for a bake or done with an image: two regions, sharing, parameters, deletion of an older
/// version, a launch template and its group.
fn rollout() -> String {
    format!(
        "version: 1.1.0\n{WEB}    machine:\n      policy: '{{\"Version\": \"2012-10-17\", \"Statement\": [{{\"Effect\": \"Allow\", \"Action\": \"s3:GetObject\", \"Resource\": \"*\"}}]}}'\n{STEPS}    publish:\n      regions: [us-east-1, eu-west-1]\n      share: {{accounts: [\"111122223333\"]}}\n      parameters: [/images/web]\n      deprecate-after: 90d\n      protect: true\n      keep: {{last: 1}}\n    deploy: [{{launch-template: web, auto-scaling-group: web, set-default: true, keep-versions: 1, refresh: {{min-healthy: 0}}}}]\n"
    )
}

fn prepare_rollout(fixture: &Fixture) {
    prepare_group(fixture);
    // A version of an earlier run that nothing uses any more.
    let query = "Action=CreateLaunchTemplateVersion&LaunchTemplateName=web&SourceVersion=1&VersionDescription=web 1.0.0 of shop, by ami-bake run a";
    ec2(fixture, HOME, &format!("{query}&LaunchTemplateData.InstanceType=t3.large"));
    older_version(fixture);
}

/// An image with a product code: EC2 captures and copies it as a whole.
fn product() -> String {
    format!("version: 1.1.0\n{WEB}{STEPS}    publish: {{regions: [us-east-1, eu-west-1]}}\n")
        .replace("099720109477", "309956199498")
        .replace("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*", "RHEL-9*")
}

/// A second group that replaces the first.
fn replace() -> String {
    format!(
        "version: 1.1.0\n{WEB}{STEPS}    deploy: [{{launch-template: web, auto-scaling-group: web, strategy: replace}}]\n"
    )
}

fn prepare_group(fixture: &Fixture) {
    let web = template(fixture, "web", "");
    group(fixture, "web", &web, "1", "");
}

/// Creates version 1.0.0 of the image, as an earlier bake would have left it.
fn older_version(fixture: &Fixture) {
    let volume = element(&ec2(fixture, HOME, "Action=CreateVolume&AvailabilityZone=us-east-1a&Size=8"), "volumeId");
    let snapshot = element(&ec2(fixture, HOME, &format!("Action=CreateSnapshot&VolumeId={volume}")), "snapshotId");
    ec2(fixture, HOME, &format!("Action=DeleteVolume&VolumeId={volume}"));
    wait::until_true("the snapshot is pending", || {
        element(&ec2(fixture, HOME, &format!("Action=DescribeSnapshots&SnapshotId.1={snapshot}")), "status")
            == "completed"
    });
    let image = element(
        &ec2(
            fixture,
            HOME,
            &format!(
                "Action=RegisterImage&Name=shop/web/1.0.0&Architecture=x86_64&VirtualizationType=hvm&RootDeviceName=/dev/sda1&BlockDeviceMapping.1.DeviceName=/dev/sda1&BlockDeviceMapping.1.Ebs.SnapshotId={snapshot}"
            ),
        ),
        "imageId",
    );
    let tags = [
        ("name", "shop"),
        ("image", "web"),
        ("version", "1.0.0"),
        ("digest", "sha256:0000000000000000000000000000000000000000000000000000000000000000"),
        ("tested", "2026-01-01T00:00:00Z"),
        ("run", "0123456789abcdef0123456789abcdef"),
    ];
    let tags = tags.iter().enumerate().fold(String::new(), |query, (index, (key, value))| {
        format!("{query}&Tag.{0}.Key=ami-bake:{key}&Tag.{0}.Value={value}", index + 1)
    });
    ec2(fixture, HOME, &format!("Action=CreateTags&ResourceId.1={image}&ResourceId.2={snapshot}{tags}"));
}
