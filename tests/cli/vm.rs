//! Bakes in virtual machines on this computer: QEMU with Debian (`tests/guest`).
//!
//! ```console
//! $ cargo nextest run -p ami-bake --test cli --run-ignored all -E 'test(/^vm::/)'
//! ```

use ami_bake_testkit::guest;
use serde_json::Value;

use crate::fixture::Fixture;

/// The manifest of `init`, for the guest's disk.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let disk = guest::base().join("disk.qcow2").display().to_string();
    let said = fixture.run(&["init", "--platform", "vm", "--disk", &disk]).exits(0);
    assert!(said.stderr.contains("ami-bake bake bake.yml"), "{}", said.stderr);
    fixture
}

/// The report of the last bake.
fn report(fixture: &Fixture) -> Value {
    serde_json::from_str(&fixture.read("bake-report.json")).unwrap()
}

/// What a first user does: a manifest, a bake with its test on a second machine, the same again, an export.
#[test]
#[ignore = "boots Debian twice, which takes minutes without KVM"]
fn the_first_manifest_bakes_reuses_and_exports() {
    let fixture = fixture();
    fixture.run(&["check"]).exits(0);
    let bake = fixture.run(&["bake"]).exits(0);
    assert!(bake.stdout.contains("baked"), "{}", bake.stdout);
    let first = report(&fixture);
    let image = &first["images"][0];
    assert_eq!((&image["status"], &image["version"]), (&"baked".into(), &"0.1.0".into()), "{image:#}");
    assert_eq!(image["image"]["tags"]["ami-bake:user"], "debian", "{image:#}");
    let again = fixture.run(&["bake"]).exits(0);
    assert!(again.stderr.contains("is unchanged"), "{}", again.stderr);
    fixture.run(&["images", "export", "web", "web.qcow2", "--platform", "vm"]).exits(0);
    assert!(fixture.path("web.qcow2").is_file());
    let swept = fixture.run(&["sweep", "--platform", "vm", "--json"]).exits(0);
    assert!(!swept.stdout.contains("virtual machine"), "{}", swept.stdout);
}

/// Steps, a reboot, a service, an image on an image, UEFI, and each data source alone.
#[test]
#[ignore = "boots Debian eight times, which takes a quarter of an hour without KVM"]
fn steps_reboots_services_and_images_on_images() {
    let fixture = fixture();
    let disk = guest::base().join("disk.qcow2").display().to_string();
    fixture.write("site/index.html", "hello\n");
    fixture.write(
        "bake.yml",
        &format!(
            "format: 1
name: shop
platform: vm
images:
  base:
    source: {{vm: {{disk: {disk}}}}}
    machine: {{user: debian, firmware: uefi, datasource: ec2, disk: {{size: 5}}}}
    build:
      - run: |
          cat /sys/class/dmi/id/sys_vendor; test -d /sys/firmware/efi
          cloud-id | grep -x aws
          test \"$(df --output=size -BG / | tail -n 1 | tr -dc 0-9)\" -ge 4
      - upload: site/
        to: /srv/www
      - reboot: true
      - expect: {{service: ssh}}
    test:
      - run: cloud-id | grep -x aws
      - expect: {{file: {{path: /srv/www/index.html, contains: hello}}}}
  web:
    source: {{image: base}}
    machine: {{firmware: uefi, datasource: nocloud, network: none}}
    build:
      - run: cloud-id | grep -x nocloud; echo second > /srv/www/second
    test:
      - run: |
          test \"$(cat /srv/www/second)\" = second
          ! timeout 5 sh -c 'exec 3<>/dev/tcp/169.254.169.254/80' 2>/dev/null
          test \"$(ls /etc/ssh/ssh_host_*_key.pub | wc -l)\" -ge 1
"
        ),
    );
    fixture.run(&["bake"]).exits(0);
    let images = report(&fixture)["images"].as_array().unwrap().len();
    assert_eq!(images, 2);
}

/// A failed step keeps the machine on request, and a wrong test deletes the candidate.
#[test]
#[ignore = "boots Debian, which takes minutes without KVM"]
fn a_failed_test_leaves_no_image() {
    let fixture = fixture();
    let broken = fixture.read("bake.yml").replace("service: ssh", "service: no-such-service");
    fixture.write("bake.yml", &broken);
    let failed = fixture.run(&["bake"]).exits(6);
    assert!(failed.stderr.contains("no-such-service"), "{}", failed.stderr);
    let images = fixture.run(&["images", "--platform", "vm", "--json"]).exits(0);
    let images: Value = serde_json::from_str(&images.stdout).unwrap();
    assert_eq!(images["images"].as_array().unwrap().len(), 0, "{images:#}");
}

/// What the platform can't do is refused with its line.
#[test]
fn settings_of_other_platforms_are_refused_with_their_line() {
    let fixture = Fixture::with(
        "format: 1
name: shop
platform: vm
images:
  web:
    source: {vm: {disk: disk.qcow2}}
    machine:
      type: t3.small
      disk: {size: 10, type: gp3}
      connect: {address: private, timeout: 10m}
      metadata: {tokens: optional, hops: 2}
    capture: live
    build: [{run: 'true'}]
",
    );
    fixture.write("disk.qcow2", "");
    let check = fixture.run(&["check"]).exits(3);
    for expected in [
        "`machine.type` is not supported on `vm`",
        "`machine.disk.type` is not supported on `vm`",
        "`machine.connect.address` is not supported on `vm`",
        "`machine.metadata.hops` is not supported on `vm`",
        "`capture: live` is not supported on `vm`",
    ] {
        assert!(check.stderr.contains(expected), "{expected}: {}", check.stderr);
    }
    assert!(
        !check.stderr.contains("disk.size` is not") && !check.stderr.contains("timeout` is not"),
        "{}",
        check.stderr
    );
}

/// A disk from the web needs a checksum; other places are not valid.
#[test]
fn a_disk_from_the_web_needs_its_checksum() {
    for (source, expected) in [
        ("{disk: 'https://example.com/disk.qcow2'}", "a disk image from the web needs `sha256`"),
        ("{disk: 'http://example.com/disk.qcow2'}", "only `https` URLs are supported"),
        ("{disk: missing.qcow2}", "`missing.qcow2` not found"),
        ("{disk: missing.qcow2, sha256: abc}", "`abc` is not a valid SHA-256 checksum"),
    ] {
        let fixture = Fixture::with(&format!(
            "format: 1\nname: shop\nplatform: vm\nimages:\n  web:\n    source: {{vm: {source}}}\n    build: [{{run: 'true'}}]\n"
        ));
        let check = fixture.run(&["check"]).exits(3);
        assert!(check.stderr.contains(expected), "{expected}: {}", check.stderr);
    }
}
