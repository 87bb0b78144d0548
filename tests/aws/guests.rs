//! Bakes on machines with a real kernel, systemd, cloud-init and OpenSSH (`tests/guest`), emulated where there is no KVM.
//!
//! Each boot takes a minute or two under emulation: what is not for every push is ignored, and run by `tests/guest/run`.

use serde_json::{Value, json};

use crate::fixture::{Fixture, finish};

/// Head of a manifest with a planted guest as the source. A machine of it has three quarters of an hour to come up: other
/// tests run beside it.
const GUEST: &str = r#"format: 1
name: shop
platform: aws
aws: {region: us-east-1}
images:
  web:
    source:
      ami: {owner: "136693071363", name: guest-*}
"#;

/// The `machine` settings of all these images.
const MACHINE: &str = "user: debian, type: t3.small, connect: {timeout: 45m}";

/// A cloud with the guest as an image, and a manifest with these further machine settings and parts of the image.
fn guest(machine: &str, parts: &str) -> Fixture {
    on(&json!({}), machine, parts)
}

/// The same on other hardware (`tests/cloud/README.md`).
fn on(hardware: &Value, machine: &str, parts: &str) -> Fixture {
    let fixture = Fixture::new(&format!("{GUEST}    machine: {{{MACHINE}{machine}}}\n{parts}"));
    fixture.cloud.plant(&json!({
        "region": "us-east-1", "owner": "136693071363", "name": "guest-20261130", "flavour": "guest", "hardware": hardware,
    }));
    fixture
}

/// The image's second machine is another one: keys, identity, network card, size of the disk; and cloud-init runs again.
/// What the first one wrote while it powered off, such as dhclient's lease, is not in the image.
#[test]
fn an_image_boots_as_another_machine() {
    let fixture = guest(
        ", disk: {size: 4}",
        "    build:
      - run: |
          cp /etc/machine-id /sys/class/net/eth0/address /srv
          cloud-init query instance-id > /srv/instance-id
          mkdir /srv/keys && cp /etc/ssh/ssh_host_*.pub /srv/keys
          ls /var/lib/dhcp/*.leases
          # The first thing of the next boot: what is left of this one.
          printf '[Unit]\\nDefaultDependencies=no\\nRequiresMountsFor=/srv\\nBefore=cloud-init-local.service\\nAfter=systemd-remount-fs.service\\n[Service]\\nType=oneshot\\nExecStart=/bin/sh -c \"ls -A /var/lib/dhcp >/srv/leases; ls -A /var/lib/cloud >/srv/cloud\"\\n[Install]\\nWantedBy=sysinit.target\\n' > /etc/systemd/system/left.service
          systemctl enable left.service
    test:
      - expect: {service: ssh}
      - run: |
          no() { if \"$@\"; then echo \"$* is true\"; exit 1; fi; }
          test -e /srv/leases
          no grep . /srv/leases
          no grep -E 'instance|data|sem' /srv/cloud
          no cmp /etc/machine-id /srv/machine-id
          no cmp /sys/class/net/eth0/address /srv/address
          test \"$(cloud-init query instance-id)\" != \"$(cat /srv/instance-id)\"
          for key in /srv/keys/*; do no cmp \"$key\" \"/etc/ssh/${key##*/}\"; done
          test \"$(grep -c . /home/debian/.ssh/authorized_keys)\" -le 3
          test \"$(ls /var/lib/cloud/instances | wc -l)\" = 1
          test \"$(df --output=size -BM / | tail -1 | tr -dc 0-9)\" -gt 3500
          test \"$(systemctl is-system-running)\" = running
",
    );
    let bake = fixture.bake().exits(0);
    assert!(!bake.stderr.contains("shows no power-down"), "{}", bake.stderr);
    fixture.holds_only(&["shop/web/0.1.0"]);
}

/// A module fails early and others still run: nothing is done before the boot is over. A test then finds what failed.
#[test]
#[ignore = "minutes under emulation: tests/guest/run"]
fn a_boot_is_over_when_its_last_stage_is() {
    let fixture = guest(
        "",
        "    capture: stopped
    build:
      - run: |
          # `locale` fails without the package `locales`.
          printf 'locale: en_US.UTF-8\\nruncmd:\\n - sleep 20\\n - touch /srv/late\\n' > /etc/cloud/cloud.cfg.d/99_late.cfg
    test:
      - run: |
          test -e /srv/late && echo everything has run
          test \"$(systemctl is-system-running)\" = degraded
      - run: test \"$(systemctl is-system-running)\" = running
",
    );
    fixture.bake().exits(6).says("everything has run").says("ended with status 1");
    fixture.holds_only(&[]);
}

/// What CIS images have, on a kernel that says nothing, through a restart: the console proves the power-down all the same.
#[test]
#[ignore = "minutes under emulation: tests/guest/run"]
fn a_hardened_guest_is_restarted_sealed_and_proven_down() {
    let fixture = guest(
        "",
        "    build:
      - run: |
          sed -i 's/net.ifnames=0/net.ifnames=0 quiet loglevel=0/' /boot/grub/grub.cfg
          printf 'Defaults requiretty, umask=0077, umask_override\\n' > /etc/sudoers.d/zz
          printf 'HostKeyAlgorithms ecdsa-sha2-nistp256\\nPubkeyAcceptedAlgorithms ecdsa-sha2-nistp256\\n' > /etc/ssh/sshd_config.d/00.conf
          printf 'tmpfs /tmp tmpfs noexec,nosuid,nodev,mode=1777 0 0\\n' >> /etc/fstab
          cat /proc/sys/kernel/random/boot_id > /srv/boot
      - reboot: true
      - upload: bake.yml
        to: /opt/new/folder/bake.yml
      - shell: python3
        run: |
          import os
          assert open('/proc/sys/kernel/random/boot_id').read() != open('/srv/boot').read()
          assert 'quiet' in open('/proc/cmdline').read()
          assert any(' /tmp ' in line and 'noexec' in line for line in open('/proc/mounts'))
          for folder in '/opt/new', '/opt/new/folder': assert os.stat(folder).st_mode & 0o777 == 0o755, folder
    test:
      - run: findmnt -no OPTIONS /tmp | grep noexec
",
    );
    let bake = fixture.bake().exits(0);
    assert!(!bake.stderr.contains("shows no power-down"), "{}", bake.stderr);
    fixture.holds_only(&["shop/web/0.1.0"]);
}

/// A root on NVMe, whose file systems are frozen for the snapshot while the guest runs on.
#[test]
#[ignore = "minutes under emulation: tests/guest/run"]
fn an_nvme_root_is_captured_live() {
    let fixture = on(
        &json!({"disk": "nvme"}),
        "",
        "    capture: live
    build:
      - run: findmnt -no SOURCE / | grep nvme; echo hello > /srv/hello
    test:
      - run: findmnt -no SOURCE / | grep nvme; grep hello /srv/hello
",
    );
    fixture.bake().exits(0).says("Freezing the file systems");
    assert_eq!(fixture.cloud.count("StopInstances"), 0);
    fixture.holds_only(&["shop/web/0.1.0"]);
}

/// EC2 can't stop a spot machine. Its network fails after the seal: it halts by itself, and the console shows it.
#[test]
#[ignore = "minutes under emulation: tests/guest/run"]
fn a_spot_guest_halts_by_itself() {
    let fixture = guest(
        ", spot: true",
        "    build:\n      - run: echo hello > /srv/hello\n    test:\n      - run: test -e /srv/hello\n",
    );
    let cable = fixture.cloud.rule(&json!({"kind": "drop-ssh", "times": 1}));
    let capture = fixture.cloud.hold_answer("ModifyInstanceAttribute");
    let bake = fixture.command(&["bake"]).spawn().unwrap();
    let begun = std::time::Instant::now();
    while !capture.is_reached() && begun.elapsed() < std::time::Duration::from_mins(45) {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert!(capture.is_reached(), "the capture does not begin");
    cable.release();
    capture.release();
    finish(bake).exits(0);
    assert_eq!(fixture.cloud.count("StopInstances"), 0);
    fixture.holds_only(&["shop/web/0.1.0"]);
}

/// A machine whose runner is gone ends by itself: the timer is systemd's own.
#[test]
#[ignore = "minutes under emulation: tests/guest/run"]
fn a_guest_ends_itself() {
    let fixture =
        guest(", lifetime: 1m", "    build:\n      - run: systemctl list-timers ami-bake-deadman.timer; sleep 3600\n");
    fixture.bake().exits(5).says("ami-bake-deadman.service");
    fixture.holds_only(&[]);
}
