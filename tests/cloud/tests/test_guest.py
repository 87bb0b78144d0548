"""User data and power: how the guest processes user data, and how it goes down."""
import os
import subprocess
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import yaml

from .harness import CloudCase


class UserData(CloudCase):
    def host_key(self):
        path = os.path.join(self.directory.name, "host")
        for name in (path, path + ".pub"):
            if os.path.exists(name):
                os.unlink(name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "once", "-f", path], check=True)
        with open(path, encoding="utf-8") as private, open(path + ".pub", encoding="utf-8") as public:
            return {"ed25519_private": private.read(), "ed25519_public": public.read()}

    def known_hosts(self, instance, keys):
        path = os.path.join(self.directory.name, "known_hosts")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{self.describe(instance)['PublicIpAddress']} {keys['ed25519_public']}")
        return path

    def test_a_given_host_key_is_the_only_one(self):
        keys = self.host_key()
        instance = self.launch(UserData="#cloud-config\n" + yaml.safe_dump({"ssh_keys": keys, "ssh_deletekeys": True}))
        known = self.known_hosts(instance, keys)
        self.assertEqual(self.ssh(instance, "ls /etc/ssh/ssh_host_*", known_hosts=known), "/etc/ssh/ssh_host_ed25519_key\n/etc/ssh/ssh_host_ed25519_key.pub\n")
        self.assertIn(keys["ed25519_public"].split()[1], self.console(instance))
        self.assertIn("-----BEGIN SSH HOST KEY KEYS-----", self.console(instance))

    def test_another_host_key_than_the_given_is_refused_by_ssh(self):
        self.cloud.admin("POST", "faults", {"kind": "wrong-host-key"})
        keys = self.host_key()
        instance = self.launch(UserData="#cloud-config\n" + yaml.safe_dump({"ssh_keys": keys}))
        done = self.ssh(instance, "true", known_hosts=self.known_hosts(instance, keys), check=False)
        self.assertEqual(done.returncode, 255)
        self.assertIn("Host key verification failed", done.stderr)

    def test_every_part_of_a_mime_archive_is_done(self):
        archive = MIMEMultipart()
        config = {"write_files": [{"path": "/etc/one", "content": "b25l\n", "encoding": "b64", "permissions": "0600", "owner": "ubuntu:ubuntu"}],
                  "bootcmd": ["echo early > /var/lib/early"], "runcmd": ["echo $(whoami) > /var/lib/late", ["touch", "/var/lib/a b"]],
                  "users": ["default", {"name": "deploy", "sudo": "ALL=(ALL) NOPASSWD:ALL", "ssh_authorized_keys": [self.public_key.decode()]}],
                  "ssh_authorized_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther other"]}
        archive.attach(MIMEText("#cloud-config\n" + yaml.safe_dump(config), "cloud-config"))
        archive.attach(MIMEText("#!/bin/sh\ncat > /var/lib/script <<E\nscript\nE\n", "x-shellscript"))
        instance = self.launch(UserData=archive.as_string())
        self.ssh(instance, "cloud-init status --wait")
        self.assertEqual(self.ssh(instance, "sudo stat -c '%a %U' /etc/one; sudo cat /etc/one /var/lib/early /var/lib/late /var/lib/script; ls '/var/lib/a b'; grep -c Other .ssh/authorized_keys"),
                         "600 ubuntu\noneearly\nroot\nscript\n/var/lib/a b\n1\n")
        self.assertEqual(self.ssh(instance, "sudo whoami", user="deploy"), "root\n")
        done = self.ssh(instance, "true", user="root", check=False)
        self.assertIn('Please login as the user "ubuntu"', done.stdout)

    def test_a_failing_script_is_an_error_of_cloud_init(self):
        instance = self.launch(UserData="#!/bin/sh\nexit 3\n")
        done = self.ssh(instance, "cloud-init status --wait", check=False)
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (1, "status: error"))

    def test_default_users_and_key_pairs_by_image(self):
        for owner, user in (("137112412989", "ec2-user"), ("136693071363", "admin")):
            image = self.ec2.describe_images(Owners=[owner])["Images"][0]["ImageId"]
            instance = self.launch(image)
            self.assertEqual(self.ssh(instance, "sudo id -un; id -un", user=user), f"root\n{user}\n")


class Power(CloudCase):
    def words(self, instance, text):
        return self.wait_for(lambda: text in self.console(instance), f"{text!r} on the console")

    def test_kmsg_shows_on_the_console(self):
        instance = self.launch()
        self.ssh(instance, "echo '<5>nonce-1' | sudo tee /dev/kmsg >/dev/null")
        self.words(instance, "] nonce-1\n")

    def test_poweroff_in_the_guest_follows_the_shutdown_behaviour(self):
        instance = self.launch()
        self.ssh(instance, "sudo poweroff", check=False)
        self.words(instance, "reboot: Power down")
        stopped = self.until(instance, "stopped")
        self.assertEqual(stopped["StateReason"]["Code"], "Client.InstanceInitiatedShutdown")
        second = self.launch(InstanceInitiatedShutdownBehavior="terminate")
        self.ssh(second, "sudo systemctl poweroff", check=False)
        self.until(second, "terminated")

    def test_halt_leaves_a_running_instance_with_a_quiet_disk(self):
        instance = self.launch()
        self.ec2.modify_instance_attribute(InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "stop"})
        self.ssh(instance, "sudo halt", check=False)
        self.words(instance, "reboot: System halted")
        self.wait_for(lambda: not self.is_alive(instance), "the guest's end")
        self.cloud.admin("POST", "clock", {"advance": 3600})
        self.assertEqual(self.describe(instance)["State"]["Name"], "running")

    def test_a_timer_fires_unless_it_is_stopped(self):
        instance = self.launch(InstanceInitiatedShutdownBehavior="terminate")
        self.ssh(instance, "sudo systemd-run --quiet --unit=dead-man --on-active=3600 systemctl poweroff")
        self.ssh(instance, "sudo systemd-run --unit=mark --on-active=10min touch /var/mark")
        self.assertEqual(self.ssh(instance, "sudo systemctl is-active dead-man.timer"), "active\n")
        self.ssh(instance, "sudo systemctl stop dead-man.timer && ! sudo systemctl is-active --quiet dead-man.timer")
        self.cloud.admin("POST", "clock", {"advance": 3600})
        self.wait_for(lambda: self.ssh(instance, "ls /var/mark", check=False).returncode == 0, "the other timer's file")
        self.ssh(instance, "sudo systemd-run --unit=dead-man --on-active=1 systemctl poweroff")
        self.until(instance, "terminated")

    def test_a_freeze_is_answered_and_not_twice(self):
        instance = self.launch()
        self.assertEqual(self.ssh(instance, "sudo fsfreeze -f / && ! sudo fsfreeze -f / 2>/dev/null && sudo fsfreeze -u / && echo thawed"), "thawed\n")

    def test_a_unit_is_enabled_by_systemd_itself(self):
        instance = self.launch()
        self.ssh(instance, "printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n' | sudo tee /etc/systemd/system/web.service > /dev/null")
        self.assertEqual(self.ssh(instance, "sudo systemctl enable web && systemctl is-enabled web && ls /etc/systemd/system/multi-user.target.wants/web.service"),
                         "enabled\n/etc/systemd/system/multi-user.target.wants/web.service\n")
        self.assertNotEqual(self.ssh(instance, "sudo systemctl enable none", check=False).returncode, 0)
        self.ssh(instance, "sudo systemctl disable web; ! systemctl is-enabled web")

    def test_shutdown_later_and_not_at_all(self):
        instance = self.launch()
        self.ssh(instance, "sudo shutdown -h +60 && sudo shutdown -c && sudo shutdown -r now", check=False)
        self.words(instance, "reboot: Restarting system")
        self.assertEqual(self.ssh(instance, "echo up"), "up\n")

    def test_a_xen_type_has_no_latest_console(self):
        instance = self.launch(InstanceType="t2.micro")
        self.refused("UnsupportedOperation", self.ec2.get_console_output, InstanceId=instance, Latest=True)
        self.wait_for(lambda: "SSH HOST KEY" in self.ec2.get_console_output(InstanceId=instance).get("Output", ""), "the boot's console")

    def test_a_guest_that_does_not_hear_is_cut_off_at_last(self):
        self.cloud.admin("POST", "faults", {"kind": "ignore-power-button"})
        self.cloud.admin("POST", "latency", {"stop_api_to_stopped": 600})
        self.addCleanup(self.cloud.admin, "POST", "latency", {"stop_api_to_stopped": 0.8})
        instance = self.launch()
        self.ssh(instance, "true")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.cloud.admin("POST", "clock", {"advance": 600})
        self.assertEqual(self.describe(instance)["State"]["Name"], "stopping")
        self.assertTrue(self.is_alive(instance))
        self.cloud.admin("POST", "clock", {"advance": 3600})
        self.until(instance, "stopped")
        self.assertNotIn("Power down", self.console(instance))
