//! The capture methods.

use serde_json::{Value, json};

use crate::fixture::{Fixture, WEB, finish};

const HELLO: &str = "    build:\n      - run: echo hello > /opt/hello\n    test:\n      - run: test -e /opt/hello\n";

#[test]
fn halted_needs_no_stopped_machine() {
    let manifest = format!("{WEB}    machine: {{type: t3.small}}\n{HELLO}");
    let manifest = manifest.replace("region: us-east-1", "region: us-east-1, hourly: {t3.small: 0.0208}");
    let fixture = Fixture::new(&manifest);
    fixture.bake().exits(0);
    let actions = fixture.cloud.actions();
    assert!(actions.iter().any(|action| action == "GetConsoleOutput"), "{actions:?}");
    assert!(actions.iter().all(|action| action != "DescribeSpotPriceHistory"), "{actions:?}");
    assert_eq!(fixture.report()["machines"][0]["hourly"], 0.0208, "the manifest tells the price");
    assert!(actions.iter().all(|action| action != "CreateImage"), "{actions:?}");
}

#[test]
fn without_proof_the_stopped_state_is_waited_for() {
    let fixture = Fixture::new(&format!("{WEB}{HELLO}"));
    fixture.cloud.fault(&json!({"kind": "no-power-line"}));
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn every_mode_gives_the_same_image() {
    for mode in ["stopped", "live"] {
        let fixture = Fixture::new(&format!("{WEB}    capture: {mode}\n{HELLO}"));
        fixture.bake().exits(0);
        fixture.holds_only(&["shop/web/0.1.0"]);
    }
}

#[test]
fn a_spot_machine_is_halted_from_inside() {
    let fixture = Fixture::new(&format!("{WEB}    machine: {{type: t3.small, spot: true}}\n{HELLO}"));
    fixture.bake().exits(0);
    let actions = fixture.cloud.actions();
    assert!(actions.iter().all(|action| action != "StopInstances"), "{actions:?}");
    fixture.holds_only(&["shop/web/0.1.0"]);
    let machines = fixture.report()["machines"].clone();
    let priced = |machine: &Value| machine["hourly"].as_f64().is_some_and(|dollars| dollars > 0.0);
    assert!(machines.as_array().unwrap().iter().all(priced), "the market tells the price: {machines:#}");
}

/// The connection is lost between seal and capture, and the machine accepts no other.
#[test]
fn a_connection_lost_after_the_seal_costs_nothing() {
    for (machine, call) in [("spot: true", "ModifyInstanceAttribute"), ("spot: false", "StopInstances")] {
        let fixture = Fixture::new(&format!("{WEB}    machine: {{type: t3.small, {machine}}}\n{HELLO}"));
        let ssh = fixture.cloud.rule(&json!({"kind": "drop-ssh", "times": 1}));
        let capture = fixture.cloud.hold_answer(call);
        let bake = fixture.command(&["bake"]).spawn().unwrap();
        capture.until_reached();
        ssh.release();
        capture.release();
        if call == "ModifyInstanceAttribute" {
            // The timer of the machine itself.
            fixture.cloud.advance(std::time::Duration::from_mins(2));
        }
        finish(bake).exits(0);
        assert!(fixture.cloud.count("GetConsoleOutput") > 0, "the console is the proof: {:?}", fixture.cloud.actions());
        fixture.holds_only(&["shop/web/0.1.0"]);
    }
}

#[test]
fn a_spot_machine_whose_shutdown_behavior_can_not_be_set_is_captured_all_the_same() {
    let fixture = Fixture::new(&format!("{WEB}    machine: {{type: t3.small, spot: true}}\n{HELLO}"));
    let no = json!({"code": "UnsupportedOperation", "message": "The attribute can't be modified", "http": 400});
    fixture.cloud.fault(&json!({"kind": "error", "action": "ModifyInstanceAttribute", "times": null, "error": no}));
    fixture.bake().exits(0).says("stays as it is (UnsupportedOperation)");
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn the_image_has_the_uefi_variables_of_its_machine() {
    let keys = "    build:\n      - run: mkdir -p /var/lib && printf enrolled > /var/lib/efivars\n";
    let fixture = Fixture::new(&format!("{WEB}{keys}"));
    fixture.bake().exits(0);
    let variables = |fixture: &Fixture| {
        let registered = fixture.cloud.calls_of("RegisterImage");
        let data = registered.iter().map(|call| call["parameters"]["UefiData"].clone());
        data.collect::<Vec<Value>>()
    };
    // Candidate and image; what GetInstanceUefiData answers in base64.
    assert_eq!(variables(&fixture), [json!("ZW5yb2xsZWQ="), json!("ZW5yb2xsZWQ=")]);
    // Where they can't be read the bake goes on with the source's.
    fixture.cloud.forget_calls();
    let no = json!({"code": "InternalFailure", "message": "not now", "http": 400});
    fixture.cloud.fault(&json!({"kind": "error", "action": "GetInstanceUefiData", "times": null, "error": no}));
    fixture.write("bake.yml", &format!("{WEB}{keys}").replace("enrolled", "other"));
    fixture.bake().exits(0).says("can't be read (InternalFailure); using those of the source image");
    assert_eq!(variables(&fixture), [Value::Null, Value::Null]);
}

#[test]
fn a_source_with_product_codes_goes_through_create_image() {
    let manifest = format!("{WEB}{SCRATCH}{HELLO}")
        .replace("099720109477", "309956199498")
        .replace("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*", "RHEL-9*");
    let fixture = Fixture::new(&manifest);
    fixture.bake().exits(0);
    let actions = fixture.cloud.actions();
    assert!(actions.iter().any(|action| action == "CreateImage"), "{actions:?}");
    let behaviours = fixture.cloud.calls_of("ModifyInstanceAttribute");
    let stop = json!({"Value": "stop"});
    assert_eq!(behaviours[0]["parameters"]["InstanceInitiatedShutdownBehavior"], stop, "an image may carry it");
    fixture.holds_only(&["shop/web/0.1.0"]);
    only_the_build_has_the_scratch_disk(&fixture);
}

/// A disk that is not part of the image.
const SCRATCH: &str = "    machine: {type: t3.small, volumes: [{device: /dev/sdg, size: 3, scratch: true}]}\n";

/// Asserts that the scratch disk is only on the build machine: the test machine has the disks of the image.
fn only_the_build_has_the_scratch_disk(fixture: &Fixture) {
    let calls = fixture.cloud.calls();
    let launched: Vec<bool> = calls
        .iter()
        .filter(|call| call["action"] == "RunInstances")
        .map(|call| call.to_string().contains("/dev/sdg"))
        .collect();
    assert_eq!(launched, [true, false], "{calls:#?}");
    let registered: Vec<_> = calls.iter().filter(|call| call["action"] == "RegisterImage").collect();
    assert!(registered.iter().all(|call| !call.to_string().contains("/dev/sdg")), "{registered:#?}");
}

#[test]
fn a_scratch_disk_stays_out_of_the_image() {
    let fixture = Fixture::new(&format!("{WEB}{SCRATCH}{HELLO}"));
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/0.1.0"]);
    only_the_build_has_the_scratch_disk(&fixture);
}

/// Disks of every kind, for an image that ami-bake registers and for one that EC2 creates.
#[test]
fn the_image_has_the_disks_of_its_manifest() {
    let rhel = |text: String| {
        text.replace("099720109477", "309956199498")
            .replace("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*", "RHEL-9*")
    };
    let fixture = Fixture::new(&format!("{WEB}{HELLO}"));
    fixture.bake().exits(0);
    let snapshot = fixture.cloud.images().into_iter().find(|image| image["name"] == "shop/web/0.1.0").unwrap()
        ["mappings"][0]["Ebs"]["SnapshotId"]
        .as_str()
        .unwrap()
        .to_owned();
    for (version, by_ec2) in [("0.2.0", false), ("0.3.0", true)] {
        fixture.cloud.forget_calls();
        let manifest = format!(
            "{WEB}    machine:
      type: t3.small
      disk: {{delete-on-termination: false}}
      volumes:
        - {{device: /dev/sdf, snapshot: {snapshot}, type: gp3, iops: 3500}}
        - {{device: /dev/sdg, size: 7, empty: true, encrypted: true, delete-on-termination: false}}
        - {{device: /dev/sdh, virtual-name: ephemeral0}}
{HELLO}"
        )
        .replace("name: shop", &format!("name: shop\nversion: {version}"));
        fixture.write("bake.yml", &if by_ec2 { rhel(manifest) } else { manifest });
        fixture.bake().exits(0);
        let calls = fixture.cloud.calls_of("RunInstances");
        let launched: Vec<(bool, bool)> = calls
            .iter()
            .map(std::string::ToString::to_string)
            .map(|call| (call.contains(&snapshot), call.contains("/dev/sdg")))
            .collect();
        assert_eq!(launched, [(true, false), (false, true)], "the test machine has the disks of the image alone");
        let images = fixture.cloud.images();
        let baked = images.iter().find(|image| image["name"] == format!("shop/web/{version}")).unwrap();
        let device = |name: &str| {
            let all = baked["mappings"].as_array().unwrap();
            all.iter().find(|one| one["DeviceName"] == name).unwrap_or_else(|| panic!("no {name}: {baked:#}")).clone()
        };
        let root = device(baked["root"].as_str().unwrap());
        assert_eq!(root["Ebs"]["DeleteOnTermination"], false, "{root:#}");
        let data = device("/dev/sdf");
        assert!(data["Ebs"]["SnapshotId"].as_str().is_some_and(|id| id != snapshot), "{data:#}");
        assert_eq!((&data["Ebs"]["Iops"], &data["Ebs"]["DeleteOnTermination"]), (&json!(3500), &json!(true)));
        let empty = device("/dev/sdg");
        assert_eq!(empty["Ebs"]["SnapshotId"], Value::Null, "{empty:#}");
        assert_eq!((&empty["Ebs"]["VolumeSize"], &empty["Ebs"]["Encrypted"]), (&json!(7), &json!(true)));
        assert_eq!(empty["Ebs"]["DeleteOnTermination"], false, "{empty:#}");
        assert_eq!(device("/dev/sdh")["VirtualName"], "ephemeral0");
    }
}

#[test]
fn the_image_says_what_the_source_says() {
    let fixture = Fixture::new(&format!(
        "{WEB}    machine: {{disk: {{size: 12, type: gp3, iops: 3500, throughput: 200}}}}\n{HELLO}"
    ));
    fixture.bake().exits(0);
    let calls = fixture.cloud.calls();
    let registered = calls.iter().rfind(|call| call["action"] == "RegisterImage").unwrap();
    let text = registered.to_string();
    for part in ["x86_64", "hvm", "v2.0", "3500", "200", "12", "/dev/sda1", "uefi-preferred"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let launched = calls.iter().find(|call| call["action"] == "RunInstances").unwrap().to_string();
    assert!(
        launched.contains("\"Throughput\":1000") && launched.contains("\"Iops\":4000"),
        "the build disk is fast: {launched}"
    );
}
