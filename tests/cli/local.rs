//! Bakes in sandboxes on this machine.

use std::process::Command;

use ami_bake_testkit::test_dir::signal;
use ami_bake_testkit::wait;
use serde_json::Value;

use crate::fixture::{CommandOutcome, Fixture};

const HELLO: &str = "format: 1
name: shop
platform: local
vars: {greeting: hello}
images:
  web:
    source: {local: host}
    build:
      - name: Write
        run: mkdir -p /srv/web && echo \"$GREETING\" > /srv/web/index.html
        env: {GREETING: \"${{ vars.greeting }}\"}
    test:
      - expect: {file: {path: /srv/web/index.html, contains: \"${{ vars.greeting }}\"}}
";

/// The report of the last bake.
fn report(fixture: &Fixture) -> Value {
    serde_json::from_str(&fixture.read("bake-report.json")).unwrap()
}

fn events(outcome: &CommandOutcome) -> Vec<Value> {
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_bake_tests_and_publishes_and_the_next_one_reuses() {
    let fixture = Fixture::with(HELLO);
    let first = fixture.run(&["bake"]).exits(0);
    assert!(first.stderr.contains("nothing is published yet"), "{}", first.stderr);
    assert!(first.stdout.contains("baked"), "{}", first.stdout);
    let first = report(&fixture);
    assert_eq!((&first["format"], &first["exit-code"]), (&1.into(), &0.into()));
    let image = &first["images"][0];
    assert_eq!((&image["status"], &image["version"]), (&"baked".into(), &"0.1.0".into()), "{image:#}");
    assert_eq!(image["image"]["name"], "shop/web/0.1.0");

    let second = fixture.run(&["bake"]).exits(0);
    assert!(second.stderr.contains("is unchanged"), "{}", second.stderr);
    assert_eq!(report(&fixture)["images"][0]["status"], "reused");
    assert!(report(&fixture)["machines"].as_array().unwrap().is_empty());
}

#[test]
fn another_value_is_another_version() {
    let fixture = Fixture::with(HELLO);
    fixture.run(&["bake"]).exits(0);
    let goodbye = ["--set", "greeting=goodbye", "--bump", "minor"];
    let reason = "changed since 0.1.0: variable `greeting`, step ";
    let plan = fixture.run(&[&["plan"], goodbye.as_slice()].concat()).exits(0);
    assert!(plan.stdout.contains(reason), "{}", plan.stdout);
    let bake = fixture.run(&[&["bake"], goodbye.as_slice()].concat()).exits(0);
    assert!(bake.stderr.contains(reason), "{}", bake.stderr);
    let report = report(&fixture);
    let image = &report["images"][0];
    assert!(image["reason"].as_str().unwrap().starts_with(reason), "{image:#}");
    assert!(image["inputs"].as_array().unwrap().iter().any(|part| part["name"] == "greeting"), "{image:#}");
    assert!(!image["image"]["tags"]["ami-bake:inputs"].is_null(), "{image:#}");
    let images = fixture.run(&["images", "--json"]).exits(0);
    let images: Value = serde_json::from_str(&images.stdout).unwrap();
    let versions: Vec<&str> =
        images["images"].as_array().unwrap().iter().map(|image| image["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["0.1.0", "0.2.0"]);
}

fn versions(fixture: &Fixture) -> Vec<(String, String)> {
    // Whatever is in the folder: images are looked up by the flags alone.
    let images = fixture.run(&["images", "--platform", "local", "--json"]).exits(0);
    let images: Value = serde_json::from_str(&images.stdout).unwrap();
    let text = |image: &Value, key: &str| image[key].as_str().unwrap().to_owned();
    images["images"].as_array().unwrap().iter().map(|image| (text(image, "version"), text(image, "id"))).collect()
}

#[test]
fn no_more_versions_are_kept_than_the_manifest_says() {
    let fixture = Fixture::with(&format!("{HELLO}    publish: {{keep: {{last: 2}}}}\n"));
    for greeting in ["one", "two", "three"] {
        fixture.run(&["bake", "--set", &format!("greeting={greeting}")]).exits(0);
    }
    let left: Vec<String> = versions(&fixture).into_iter().map(|(version, _)| version).collect();
    assert_eq!(left, ["0.1.1", "0.1.2"]);
    let image = &report(&fixture)["images"][0];
    assert_eq!(image["retired"][0]["version"], "0.1.0", "{image:#}");
    let told = fixture.run(&["bake", "--set", "greeting=four"]).exits(0);
    assert!(told.stderr.contains("Deleted old version 0.1.1: img-"), "{}", told.stderr);
}

/// A base image stays until the new version has passed its tests.
#[test]
fn a_fixed_version_is_replaced_once_the_tests_pass() {
    let fixture = Fixture::with(&HELLO.replace("images:", "version: 1.0.0\nimages:"));
    fixture.run(&["bake"]).exits(0);
    let first = versions(&fixture);
    let broken = fixture
        .read("bake.yml")
        .replace("contains: \"${{ vars.greeting }}\"}}", "contains: x y}}\n        timeout: 1s");
    fixture.write("broken.yml", &broken);
    fixture.run(&["bake", "broken.yml", "--set", "greeting=goodbye"]).exits(6);
    assert_eq!(versions(&fixture), first);
    fixture.run(&["bake", "--set", "greeting=goodbye"]).exits(0);
    let second = versions(&fixture);
    assert_eq!((second.len(), second[0].0.as_str()), (1, "1.0.0"));
    assert_ne!(second[0].1, first[0].1);
}

#[test]
fn images_are_listed_and_exported_without_a_valid_manifest() {
    let fixture = Fixture::with(&HELLO.replace("source: {local: host}", "source: {local: root}"));
    for folder in ["root/etc", "root/bin", "root/srv", "root/root"] {
        std::fs::create_dir_all(fixture.path(folder)).unwrap();
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| std::path::Path::new(path).exists());
    let busybox = busybox.expect("a static busybox is missing; this test needs it: apt-get install -y busybox-static");
    let install = ["--install", "-s", "/bin"];
    std::fs::copy(busybox, fixture.path("root/bin/busybox")).unwrap();
    let done = Command::new("chroot").arg(fixture.path("root")).arg("/bin/busybox").args(install).status().unwrap();
    assert!(done.success());
    fixture.write("root/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    fixture.write(
        "bake.yml",
        &HELLO.replace("source: {local: host}", "source: {local: root}").replace(
            "run: mkdir -p /srv/web && echo \"$GREETING\" > /srv/web/index.html",
            "run: busybox mkdir -p /srv/web && echo \"$GREETING\" > /srv/web/index.html\n        shell: sh",
        ),
    );
    fixture.run(&["bake"]).exits(0);
    fixture.write("bake.yml", "format: 1\nname: [this is no manifest\n");
    let listed = fixture.run(&["images", "--platform", "local"]).exits(0);
    assert!(
        listed.stdout.contains("0.1.0") && listed.stderr.contains("it is invalid (run `ami-bake check`)"),
        "{listed:?}"
    );
    let elsewhere = fixture.run(&["images", "--platform", "local", "--store", "other", "--json"]).exits(0);
    assert!(elsewhere.stdout.contains("\"images\": []"), "{}", elsewhere.stdout);
    fixture.run(&["images"]).exits(3);
    let done = fixture.run(&["images", "export", "web", "web.tar"]).exits(0);
    assert!(
        done.stderr.starts_with("Exported shop/web/0.1.0 (img-") && done.stderr.contains("to web.tar as "),
        "{}",
        done.stderr
    );
    let files = Command::new("tar").args(["-tf"]).arg(fixture.path("web.tar")).output().unwrap().stdout;
    assert!(String::from_utf8(files).unwrap().lines().any(|name| name == "srv/web/index.html"));
    let again = fixture.run(&["images", "export", "web", "web.tar"]).exits(2);
    assert!(again.stderr.contains("already exists"), "{}", again.stderr);
    let odd = fixture.run(&["images", "export", "web", "web.zip"]).exits(2);
    assert!(odd.stderr.contains("--format oci, rootfs or disk"), "{}", odd.stderr);
}

/// The error names the failing step, with its line in the manifest and its last output, and nothing is published.
#[test]
fn a_failing_step_is_shown_with_its_line_and_its_log() {
    let manifest = HELLO.replace("mkdir -p /srv/web &&", "echo this is why; exit 7; ");
    let fixture = Fixture::with(&manifest);
    let outcome = fixture.run(&["bake"]).exits(5);
    assert!(outcome.stderr.contains("bake.yml:9"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("Write | this is why"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("error[build-failed]: step `Write`"), "{}", outcome.stderr);
    let log = outcome.stderr.find("Last lines of Write (web)").unwrap();
    assert!(outcome.stderr[log..].contains("| this is why"), "{}", outcome.stderr);
    // When it happens, and at the end in full: nothing is said a third time.
    for once_more in ["this is why", "exited with status 7"] {
        assert_eq!(outcome.stderr.matches(once_more).count(), 2, "{once_more}: {}", outcome.stderr);
    }
    assert!(outcome.stdout.contains("failed"), "{}", outcome.stdout);
    let report = report(&fixture);
    assert_eq!((&report["exit-code"], &report["images"][0]["status"]), (&5.into(), &"failed".into()));
    assert_eq!(report["images"][0]["steps"][0]["log"][0], "this is why");
    let images = fixture.run(&["images", "--json"]).exits(0);
    assert!(images.stdout.contains("\"images\": []"), "{}", images.stdout);
}

#[test]
fn a_failing_test_has_a_code_of_its_own_and_leaves_no_image() {
    let fixture = Fixture::with(
        &HELLO.replace("contains: \"${{ vars.greeting }}\"}}", "contains: goodbye}}\n        timeout: 1s"),
    );
    fixture.run(&["bake"]).exits(6);
    let images = fixture.run(&["images", "--json"]).exits(0);
    assert!(images.stdout.contains("\"images\": []"), "{}", images.stdout);
}

/// Events are lines of JSON; replaying them gives the report that was written.
#[test]
fn a_recorded_run_replays_to_its_report() {
    use ami_bake_core::event::Envelope;
    use ami_bake_core::report::{self, Report};

    let fixture = Fixture::with(HELLO);
    let outcome = fixture.run(&["bake", "--json"]).exits(0);
    assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
    assert!(events(&outcome).iter().all(|event| event["v"] == 1));
    let recorded: Vec<Envelope> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let written = report::read(&fixture.path("bake-report.json")).unwrap();
    let as_json = |report: &Report| serde_json::to_value(report).unwrap();
    assert_eq!(as_json(&Report::replay(&recorded)), as_json(&written));
}

#[test]
fn a_dry_run_creates_nothing() {
    let fixture = Fixture::with(HELLO);
    let outcome = fixture.run(&["bake", "--dry-run"]).exits(0);
    assert!(outcome.stdout.contains("nothing is published yet"), "{}", outcome.stdout);
    assert!(!fixture.path("bake-report.json").exists());
    let plan = fixture.run(&["plan", "--json"]).exits(0);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["matrix"]["include"][0]["image"], "web");
}

/// After SIGINT, SIGTERM and SIGQUIT a bake ends with 130 and a report, an hour before its step would. No process of
/// the sandbox is left.
#[test]
fn a_cancelled_bake_ends_with_a_report() {
    for name in ["INT", "TERM", "QUIT"] {
        let marker = 100_000_000 + std::process::id();
        let fixture = Fixture::with(&HELLO.replace("mkdir -p /srv/web &&", &format!("echo here; sleep {marker};")));
        let child = fixture.command(&["bake"]).spawn().unwrap();
        wait::until_true("the step never began", || alive(&format!("sleep {marker}")));
        signal(&child, name);
        fixture.finish(child).exits(130);
        let report = report(&fixture);
        assert_eq!((&report["exit-code"], &report["images"][0]["status"]), (&130.into(), &"cancelled".into()));
        assert!(!alive(&format!("sleep {marker}")), "the step lives on");
    }
}

/// Whether a process with exactly this command line runs on this machine.
pub(crate) fn alive(command: &str) -> bool {
    process(command).is_some()
}

/// The ID of the process with exactly this command line.
pub(crate) fn process(command: &str) -> Option<String> {
    let wanted = command.replace(' ', "\0") + "\0";
    let found = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .find(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(|words| words == wanted.as_bytes()));
    found.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// Sweep removes a killed bake.
#[test]
fn sweep_deletes_what_a_killed_bake_left() {
    let step = format!("sleep {}", 200_000_000 + std::process::id());
    let fixture = Fixture::with(&HELLO.replace("mkdir -p /srv/web &&", &format!("{step};")));
    let mut child = fixture.command(&["bake"]).spawn().unwrap();
    wait::until_true("the step never began", || alive(&step));
    child.kill().unwrap();
    child.wait().unwrap();
    // A machine that is not found in another store is not gone.
    let elsewhere = fixture.run(&["sweep", "--platform", "local", "--store", "other", "--yes"]).exits(9);
    assert!(elsewhere.stdout.contains("it belongs to the image store FOLDER/"), "{}", elsewhere.stdout);
    fixture.run(&["sweep", "--platform", "local", "--yes"]).exits(0);
    assert!(!alive(&step), "the step lives on");
    let ledgers = std::fs::read_dir(fixture.path("state/ami-bake")).unwrap().flatten();
    assert!(ledgers.into_iter().all(|entry| !entry.path().to_string_lossy().ends_with(".ledger.jsonl")));
    let again = fixture.run(&["sweep", "--platform", "local"]).exits(0);
    assert!(again.stderr.contains("Nothing to delete"), "{}", again.stderr);
}

/// Everything in the upper folder of the overlay is searched, whatever the file is called and however it got there.
#[test]
fn a_secret_that_a_step_leaves_in_a_file_fails_the_bake() {
    let leaky = HELLO.replace("images:", "secrets: [TOKEN]\nimages:").replace(
        "run: mkdir -p /srv/web && echo \"$GREETING\" > /srv/web/index.html\n        env: {",
        "run: mkdir -p '/srv/a b' && echo \"x=$TOKEN\" > '/srv/a b/ü' && touch -d 2001-01-01 '/srv/a b/ü'\n        env: {TOKEN: \"${{ secrets.TOKEN }}\", ",
    );
    let fixture = Fixture::with(&leaky).variable("TOKEN", "geheim-4711");
    let outcome = fixture.run(&["bake"]).exits(5);
    assert!(outcome.stderr.contains("/srv/a b/ü (the secret `TOKEN`)"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("geheim-4711"), "{}", outcome.stderr);
    assert_eq!(versions(&fixture), []);
}

#[test]
fn a_machine_without_a_network_has_its_own_ports_alone() {
    let manifest = HELLO
        .replace("    build:\n", "    machine: {network: none}\n    build:\n")
        .replace("mkdir -p /srv/web &&", "test \"$(ls /sys/class/net)\" = lo; mkdir -p /srv/web &&");
    Fixture::with(&manifest).run(&["bake"]).exits(0);
    let elsewhere = Fixture::with(&manifest.replace("network: none", "network: some"));
    elsewhere.run(&["check"]).exits(3).says("bake.yml:8:");
}
