//! Publishing a tested image: other regions, sharing, parameters.

use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::{Value, json};

use crate::fixture::{Fixture, WEB, finish};
use crate::owner::{ec2, parameter};

pub(crate) const HOME: &str = "123456789012/us-east-1";
pub(crate) const AWAY: &str = "123456789012/eu-west-1";
const FAR: &str = "123456789012/ap-southeast-2";

/// A fixture with a small image and this `publish`.
pub(crate) fn web(publish: &str) -> Fixture {
    Fixture::new(&manifest(publish))
}

pub(crate) fn manifest(publish: &str) -> String {
    format!(
        "version: 1.0.0\n{WEB}    build:\n      - run: echo hello > /opt/hello\n    test:\n      - run: test -e /opt/hello\n    publish: {publish}\n"
    )
}

pub(crate) fn images(fixture: &Fixture, place: &str) -> Vec<Value> {
    fixture.cloud.leaks()[place]["images"].as_array().cloned().unwrap_or_default()
}

/// The calls of an action in a region.
pub(crate) fn calls(fixture: &Fixture, region: &str, action: &str) -> Vec<Value> {
    let calls = fixture.cloud.calls().into_iter();
    calls.filter(|call| call["region"] == region && call["action"] == action).collect()
}

fn position(fixture: &Fixture, region: &str, action: &str) -> usize {
    let calls = fixture.cloud.calls();
    let found = calls.iter().position(|call| call["region"] == region && call["action"] == action);
    found.unwrap_or_else(|| panic!("no {action} in {region}: {:?}", fixture.cloud.actions()))
}

/// The report's entry for a region.
pub(crate) fn delivery(fixture: &Fixture, region: &str) -> Value {
    let report = fixture.report();
    let all = report["images"][0]["published"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["region"] == region).unwrap_or_else(|| panic!("{region} is not in {report:#}"))
}

#[test]
fn snapshots_are_copied_while_the_test_boots_and_registered_after_it() {
    let fixture = web("{regions: [us-east-1, eu-west-1, ap-southeast-2]}");
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/1.0.0"; 3]);
    for (place, region) in [(AWAY, "eu-west-1"), (FAR, "ap-southeast-2")] {
        let image = &images(&fixture, place)[0];
        for (key, value) in [("ami-bake:version", "1.0.0"), ("ami-bake:image", "web")] {
            assert_eq!(image["tags"][key], value, "{image:#}");
        }
        assert!(image["tags"]["ami-bake:tested"].is_string(), "{image:#}");
        let snapshot = &fixture.cloud.leaks()[place]["snapshots"][0];
        assert_eq!(snapshot["tags"]["ami-bake:version"], "1.0.0", "{snapshot:#}");
        assert!(snapshot["tags"]["ami-bake:expires"].is_null(), "{snapshot:#}");
        assert_eq!(delivery(&fixture, region)["image"], image["id"]);
        assert_eq!(calls(&fixture, region, "CopyImage").len(), 0);
        assert_eq!(
            calls(&fixture, region, "RegisterImage").len(),
            1,
            "nothing but the tested image is ever registered"
        );
        let launched = fixture.cloud.calls().iter().rposition(|call| call["action"] == "RunInstances").unwrap();
        let ended = fixture.cloud.calls().iter().rposition(|call| call["action"] == "TerminateInstances").unwrap();
        let (copied, registered) =
            (position(&fixture, region, "CopySnapshot"), position(&fixture, region, "RegisterImage"));
        assert!(copied < ended && launched < registered, "{copied} {launched} {registered} {ended}");
    }
    assert_eq!(delivery(&fixture, "us-east-1")["image"], images(&fixture, HOME)[0]["id"]);
}

#[test]
fn a_failing_test_takes_the_copies_away() {
    let fixture = Fixture::new(&format!(
        "{WEB}    test:\n      - expect: {{file: /opt/nothing}}\n        timeout: 2s\n    publish: {{regions: [eu-west-1]}}\n"
    ));
    fixture.bake().exits(6).says("/opt/nothing");
    assert_eq!(calls(&fixture, "eu-west-1", "CopySnapshot").len(), 1);
    assert_eq!(calls(&fixture, "eu-west-1", "RegisterImage").len(), 0);
    fixture.holds_only(&[]);
}

#[test]
fn an_encrypted_image_gets_the_regions_own_key() {
    let fixture = Fixture::new(
        &manifest("{regions: [{region: eu-west-1, kms-key: alias/images}]}")
            .replace("    build:", "    machine: {disk: {encrypted: true, kms-key: alias/bake}}\n    build:"),
    );
    fixture.bake().exits(0);
    let copy = calls(&fixture, "eu-west-1", "CopySnapshot")[0].to_string();
    assert!(copy.contains("alias/images"), "{copy}");
    assert_eq!(calls(&fixture, "eu-west-1", "CopyImage").len(), 0, "the copy is not refused: its URL is signed");
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
}

#[test]
fn a_copy_whose_snapshot_fails_is_made_by_ec2_once() {
    let fixture = web("{regions: [eu-west-1]}");
    fixture.cloud.fault(
        &json!({"kind": "snapshot-error", "action": "CopySnapshot", "message": "Given key ID is not accessible"}),
    );
    fixture.bake().exits(0).says("Given key ID is not accessible").says("using CopyImage instead");
    assert_eq!(calls(&fixture, "eu-west-1", "CopyImage").len(), 1);
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
}

#[test]
fn ec2_copies_what_may_not_be_registered_and_what_is_asked_for() {
    let product = manifest("{regions: [eu-west-1]}")
        .replace("099720109477", "309956199498")
        .replace("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*", "RHEL-9*");
    for manifest in [product, manifest("{regions: [eu-west-1], copy: image}")] {
        let fixture = Fixture::new(&manifest);
        fixture.bake().exits(0);
        assert_eq!(calls(&fixture, "eu-west-1", "CopySnapshot").len(), 0);
        assert_eq!(calls(&fixture, "eu-west-1", "CopyImage").len(), 1);
        fixture.holds_only(&["shop/web/1.0.0"; 2]);
    }
}

#[test]
fn a_failed_region_does_not_hide_another() {
    let fixture = web("{regions: [eu-west-1, ap-southeast-2]}");
    let error = json!({"code": "InvalidRequest", "message": "the region is on fire", "http": 400});
    fixture.cloud.fault(
        &json!({"kind": "error", "action": "RegisterImage", "region": "eu-west-1", "times": null, "error": error}),
    );
    fixture.bake().exits(7).says("publish web 1.0.0 in eu-west-1").says("the region is on fire").says("ap-southeast-2");
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
    assert_eq!(delivery(&fixture, "ap-southeast-2")["failure"], Value::Null);
    assert_eq!(delivery(&fixture, "eu-west-1")["failure"]["kind"], "publish");
    assert_eq!(fixture.report()["images"][0]["image"]["id"], images(&fixture, HOME)[0]["id"]);

    // The next bake bakes nothing, and publishes what is missing.
    fixture.cloud.forgive();
    fixture.cloud.forget_calls();
    fixture.bake().exits(0);
    assert!(!fixture.cloud.actions().iter().any(|action| action == "RunInstances"));
    assert_eq!(calls(&fixture, "ap-southeast-2", "CopySnapshot").len(), 0);
    fixture.holds_only(&["shop/web/1.0.0"; 3]);
}

#[test]
fn what_is_not_final_goes_nowhere_unless_it_is_said() {
    let fixture = web("{regions: [eu-west-1]}");
    fixture.run(&["bake", "--image-version", "1.1.0-rc.1"]).exits(0);
    fixture.holds_only(&["shop/web/1.1.0-rc.1"]);
    assert!(images(&fixture, HOME)[0]["tags"]["ami-bake:expires"].is_string());
    fixture.write("bake.yml", &manifest("{if: \"true\", regions: [eu-west-1]}"));
    fixture.run(&["bake", "--image-version", "1.1.0-rc.2"]).exits(0);
    fixture.holds_only(&["shop/web/1.1.0-rc.1", "shop/web/1.1.0-rc.2", "shop/web/1.1.0-rc.2"]);
}

fn writes(fixture: &Fixture) -> Vec<String> {
    let writes = [
        "ModifyImageAttribute",
        "EnableImageDeprecation",
        "EnableImageDeregistrationProtection",
        "PutParameter",
        "CopySnapshot",
        "RegisterImage",
        "RunInstances",
    ];
    fixture.cloud.actions().into_iter().filter(|action| writes.contains(&action.as_str())).collect()
}

#[test]
fn an_image_is_shared_marked_and_pointed_at_in_every_region_and_once() {
    let organization = "arn:aws:organizations::123456789012:organization/o-123example";
    let fixture = web(&format!(
        "{{regions: [eu-west-1], share: {{accounts: [\"111122223333\"], organizations: [\"{organization}\"]}}, deprecate-after: 90d, protect: true, parameters: [\"/images/web/${{{{ version.major }}}}/current\"]}}"
    ));
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
    for (place, region) in [(HOME, "us-east-1"), (AWAY, "eu-west-1")] {
        let id = images(&fixture, place)[0]["id"].as_str().unwrap().to_owned();
        let launch =
            ec2(&fixture, region, &format!("Action=DescribeImageAttribute&ImageId={id}&Attribute=launchPermission"));
        assert!(launch.contains("111122223333") && launch.contains(organization), "{launch}");
        let tags = &images(&fixture, place)[0]["tags"];
        for key in ["name", "image", "version", "digest", "tested", "source-ami"] {
            let (own, shown) = (&tags[format!("ami-bake:{key}")], &tags[format!("ec2:SharedTag/ami-bake/{key}")]);
            assert!(own.is_string() && own == shown, "{key} of {tags:#}");
        }
        let image = ec2(&fixture, region, &format!("Action=DescribeImages&ImageId.1={id}"));
        assert!(image.contains("<deprecationTime>20") && image.contains("enabled-without-cooldown"), "{image}");
        let parameter = parameter(&fixture, region, "/images/web/1/current");
        assert_eq!(
            (&parameter["Value"], &parameter["DataType"]),
            (&json!(id), &json!("aws:ec2:image")),
            "{parameter:#}"
        );
        let done = delivery(&fixture, region)["done"].to_string();
        for part in ["shared with 111122223333", "deprecated from", "protected", "/images/web/1/current"] {
            assert!(done.contains(part), "{part} is not in {done}");
        }
    }
    fixture.cloud.forget_calls();
    fixture.bake().exits(0);
    assert_eq!(writes(&fixture), [""; 0], "what is there is not done again");
}

#[test]
fn a_parameter_only_moves_forward_unless_forced() {
    let fixture = web("{parameters: [/images/web/current]}");
    fixture.run(&["bake", "--image-version", "1.5.0"]).exits(0);
    let newest = parameter(&fixture, "us-east-1", "/images/web/current")["Value"].clone();
    fixture
        .run(&["bake", "--image-version", "1.4.1"])
        .exits(0)
        .says("parameter /images/web/current in us-east-1 keeps the newer version 1.5.0");
    assert_eq!(parameter(&fixture, "us-east-1", "/images/web/current")["Value"], newest);
    fixture.run(&["bake", "--image-version", "1.4.2", "--force"]).exits(0);
    let forced = parameter(&fixture, "us-east-1", "/images/web/current");
    assert_ne!(forced["Value"], newest);
    assert_eq!(forced["Version"], 2, "{forced:#}");
}

#[test]
fn throttled_parameters_are_waited_for() {
    let names: Vec<String> = (0..8).map(|at| format!("/images/web/{at}")).collect();
    let fixture = web(&format!("{{parameters: [{}]}}", names.join(", ")));
    fixture.cloud.fault(&json!({"kind": "throttle", "action": "ssm:PutParameter", "times": 3}));
    fixture.bake().exits(0);
    for name in names {
        assert_eq!(parameter(&fixture, "us-east-1", &name)["Value"], images(&fixture, HOME)[0]["id"]);
    }
}

#[test]
fn a_refusal_of_the_account_is_reported_before_a_launch() {
    let accounts = "{share: {accounts: [\"111122223333\"]}, regions: [eu-west-1]}";
    let fixture = web("{share: {public: true}}");
    fixture.bake().exits(4).says("blocks public images in us-east-1").says("bake.yml:");
    ec2(&fixture, "us-east-1", "Action=DisableImageBlockPublicAccess");
    ec2(&fixture, "us-east-1", "Action=EnableEbsEncryptionByDefault");
    fixture.run(&["plan"]).exits(4).says("it is encrypted in us-east-1").says("must be unencrypted");
    ec2(&fixture, "us-east-1", "Action=DisableEbsEncryptionByDefault");
    ec2(&fixture, "eu-west-1", "Action=EnableEbsEncryptionByDefault");
    fixture.write("bake.yml", &manifest(accounts));
    fixture.bake().exits(4).says("the AWS managed key").says("eu-west-1");
    assert!(fixture.cloud.instances().is_empty());
    // With a customer key it can be shared.
    fixture
        .write("bake.yml", &manifest(&accounts.replace("[eu-west-1]", "[{region: eu-west-1, kms-key: alias/images}]")));
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
}

#[test]
fn a_public_image_is_everyones() {
    let fixture = web("{share: {public: true}}");
    ec2(&fixture, "us-east-1", "Action=DisableImageBlockPublicAccess");
    fixture.bake().exits(0);
    let id = images(&fixture, HOME)[0]["id"].as_str().unwrap().to_owned();
    let launch =
        ec2(&fixture, "us-east-1", &format!("Action=DescribeImageAttribute&ImageId={id}&Attribute=launchPermission"));
    assert!(launch.contains("<group>all</group>"), "{launch}");
}

#[test]
fn publish_finishes_what_the_report_lacks_and_repeats_nothing() {
    let fixture = web("{regions: [eu-west-1, ap-southeast-2], parameters: [/images/web/current]}");
    let error = json!({"code": "InvalidRequest", "message": "the region is on fire", "http": 400});
    fixture.cloud.fault(
        &json!({"kind": "error", "action": "RegisterImage", "region": "eu-west-1", "times": null, "error": error}),
    );
    fixture.bake().exits(7);
    fixture.cloud.forgive();
    fixture.cloud.forget_calls();
    let missing = fixture.run(&["publish", "--report", "bake-report.json"]).exits(0);
    assert!(missing.stderr.contains("registered from copies of its snapshots"), "{}", missing.stderr);
    assert_eq!(writes(&fixture), ["CopySnapshot", "RegisterImage", "PutParameter"]);
    assert_eq!(parameter(&fixture, "eu-west-1", "/images/web/current")["Value"], images(&fixture, AWAY)[0]["id"]);
    fixture.holds_only(&["shop/web/1.0.0"; 3]);
    // The report that named the image says what became of it, for the commands after this one.
    let report = fixture.report();
    let image = &report["images"][0];
    assert_eq!((&report["exit-code"], &image["status"], &image["failure"]), (&json!(0), &json!("baked"), &json!(null)));
    let published = image["published"].as_array().unwrap();
    assert!(published.iter().all(|one| one["failure"].is_null() && one["image"].is_string()), "{published:#?}");
    assert_eq!(published.len(), 3);
    fixture.cloud.forget_calls();
    fixture.run(&["publish", "--image-version", "1.0.0"]).exits(0);
    assert_eq!(writes(&fixture), [""; 0]);
    fixture.run(&["publish"]).exits(2).says("--report");
}

#[test]
fn a_tested_version_is_promoted_to_an_environment() {
    let fixture = web("{description: web}");
    let environment = "environments:\n  production:\n    images:\n      web:\n        publish: {regions: [eu-west-1], parameters: [/production/web]}\n";
    // Only a bake runs the steps that need the secret.
    let built = manifest("{description: web}").replace(
        "echo hello > /opt/hello\n",
        "test -n \"$WORD\" && touch /opt/hello\n        env: {WORD: '${{ secrets.WORD }}'}\n",
    );
    fixture.write("bake.yml", &format!("secrets: [WORD]\n{built}{environment}"));
    fixture.bake().exits(4).says("WORD is listed under `secrets` but not set");
    finish(fixture.command(&["bake"]).env("WORD", "hello-secret").spawn().unwrap()).exits(0);
    fixture.holds_only(&["shop/web/1.0.0"]);
    let machines = fixture.cloud.instances().len();
    fixture.run(&["promote", "1.0.0"]).exits(2).says("--environment");
    fixture.run(&["promote", "9.9.9", "--environment", "production"]).exits(4).says("image not found");
    fixture.run(&["promote", "1.0.0", "--environment", "production"]).exits(0);
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
    assert_eq!(fixture.cloud.instances().len(), machines);
    for (place, region) in [(HOME, "us-east-1"), (AWAY, "eu-west-1")] {
        assert_eq!(parameter(&fixture, region, "/production/web")["Value"], images(&fixture, place)[0]["id"]);
    }
}

#[test]
fn a_cancel_and_a_missing_permission_leave_what_is_published_and_nothing_else() {
    let fixture = web(
        "{regions: [eu-west-1], copy: image, share: {accounts: [\"111122223333\"]}, parameters: [/images/web/current]}",
    );
    let copying = fixture.cloud.hold("CopyImage");
    let child = fixture.command(&["bake"]).spawn().unwrap();
    fixture.cloud.until_answered("CopyImage", 1);
    signal(&child, "INT");
    finish(child).exits(130);
    // The tested image exists under its name; the incomplete copy does not.
    fixture.holds_only(&["shop/web/1.0.0"]);

    copying.release();
    fixture.run(&["publish", "--image-version", "1.0.0"]).exits(0);
    fixture.holds_only(&["shop/web/1.0.0"; 2]);
    fixture.cloud.forget_calls();
    fixture.cloud.deny(&["ec2:ModifyImageAttribute"]);
    let id = images(&fixture, HOME)[0]["id"].as_str().unwrap().to_owned();
    fixture.write("bake.yml", &manifest("{share: {accounts: [\"444455556666\"]}, parameters: [/images/web/other]}"));
    fixture
        .run(&["publish", "--image-version", "1.0.0"])
        .exits(7)
        .says(&format!("is not allowed ec2:ModifyImageAttribute on arn:aws:ec2:us-east-1:123456789012:image/{id}"))
        .says("\"Action\":\"ec2:ModifyImageAttribute\"");
    assert!(
        fixture.cloud.calls_of("PutParameter").is_empty(),
        "nothing points at an image that is not what it should be"
    );
    fixture.cloud.deny(&["ssm:PutParameter"]);
    fixture
        .run(&["publish", "--image-version", "1.0.0"])
        .exits(7)
        .says("is not allowed ssm:PutParameter on arn:aws:ssm:us-east-1:123456789012")
        .says("/images/web/other");
}

/// The quota of an account may be lower than EC2's default: the copies of all images queue for it, and none of them falls
/// back to CopyImage.
#[test]
fn copies_wait_for_the_quota_of_their_destination() {
    let two = manifest("{regions: [eu-west-1]}").replace("  web:\n", "  web:\n    matrix: {n: [a, b]}\n");
    let fixture = Fixture::new(&two.replace("echo hello", "echo ${{ matrix.n }}"));
    fixture.cloud.quota_of_copies(1);
    let copying = fixture.cloud.hold("CopySnapshot");
    let bake = fixture.command(&["bake"]).spawn().unwrap();
    let refused = || fixture.cloud.calls_of("CopySnapshot").iter().any(|call| call["error"] == "ResourceLimitExceeded");
    wait::until_true("no copy is refused", refused);
    copying.release();
    finish(bake).exits(0);
    assert_eq!(images(&fixture, AWAY).len(), 2);
    assert_eq!(fixture.cloud.count("CopyImage"), 0);
    // The same with CopyImage, which counts each of its snapshots.
    fixture.cloud.forget_calls();
    let copying = fixture.cloud.hold("CopyImage");
    fixture.write(
        "bake.yml",
        &two.replace("echo hello", "echo ${{ matrix.n }}").replace("{regions", "{copy: image, regions"),
    );
    let bake = fixture.command(&["bake", "--image-version", "2.0.0"]).spawn().unwrap();
    let refused = || fixture.cloud.calls_of("CopyImage").iter().any(|call| call["error"] == "ResourceLimitExceeded");
    wait::until_true("no copy of an image is refused", refused);
    copying.release();
    finish(bake).exits(0).says("the account's quota of concurrent copies is used up");
    assert_eq!(images(&fixture, AWAY).len(), 4);
}
