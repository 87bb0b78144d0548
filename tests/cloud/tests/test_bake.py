"""A whole bake: launch, log in, write, power down, snapshot, register, boot the image, find the file."""
import subprocess
import os
import time

from .harness import CloudCase


class Bake(CloudCase):
    def halted(self, instance):
        nonce = f"nonce-{time.time()}"
        self.ssh(instance, f"echo {nonce} | sudo tee /dev/kmsg >/dev/null")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.wait_for(lambda: self.console(instance).rfind("reboot: Power down") > self.console(instance).rfind(nonce) > 0, "nonce and power down on the console")

    def test_the_file_of_a_bake_is_in_the_machine_of_its_image(self):
        instance = self.launch()
        self.ssh(instance, "echo baked | sudo tee /etc/baked >/dev/null; sudo rm /etc/motd /etc/issue; sudo rm -rf /usr/share/man; sudo ln -s baked /etc/link")
        rule = self.cloud.admin("POST", "faults", {"kind": "hold", "action": "StopInstances"})[0]["id"]
        self.halted(instance)
        self.assertEqual(self.describe(instance)["State"]["Name"], "stopping", "the console is ahead of the state")
        self.cloud.admin("DELETE", f"faults/{rule}")
        made = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance},
                                         TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "k", "Value": "v"}]}])["Snapshots"]
        self.assertEqual(len(made), 1)
        self.assertEqual(made[0]["State"], "pending")
        snapshot = made[0]["SnapshotId"]
        self.terminate(instance)
        self.snapshot_done(snapshot)
        shown = self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
        self.assertEqual((shown["Progress"], shown["Tags"]), ("100%", [{"Key": "k", "Value": "v"}]))
        image = self.register("bake/one", snapshot)
        second = self.launch(image)
        self.assertEqual(self.ssh(second, "cat /etc/baked; readlink /etc/link; ls /etc/motd /etc/issue /usr/share/man 2>&1 | grep -c 'No such'"), "baked\nbaked\n3\n")
        self.terminate(second)
        self.refused("InvalidSnapshot.InUse", self.ec2.delete_snapshot, SnapshotId=snapshot)
        self.assertEqual(self.drop_image(image), {snapshot: "success"})
        self.refused("InvalidAMIID.Unavailable", self.ec2.describe_images, ImageIds=[image])

    def test_an_image_of_an_image_stands_on_both(self):
        first = self.launch()
        self.ssh(first, "echo one | sudo tee /opt/one >/dev/null; echo old | sudo tee /opt/both >/dev/null")
        snapshot = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": first})["Snapshots"][0]["SnapshotId"]
        # The disk is written to after a live snapshot, which must not contain that.
        self.ssh(first, "echo late | sudo tee /opt/late >/dev/null")
        self.snapshot_done(snapshot)
        base = self.register("chain/base", snapshot)
        second = self.launch(base)
        self.ssh(second, "sudo rm /opt/one; echo new | sudo tee /opt/both >/dev/null")
        self.ec2.stop_instances(InstanceIds=[second])
        self.until(second, "stopped")
        self.assertNotIn("PublicIpAddress", self.describe(second))
        image = self.ec2.create_image(InstanceId=second, Name="chain/web")["ImageId"]
        self.image_available(image)
        third = self.launch(image)
        self.assertEqual(self.ssh(third, "cat /opt/both; ls /opt/one /opt/late 2>&1 | grep -c 'No such'"), "new\n2\n")
        self.terminate(first, second, third)
        self.assertEqual(set(self.drop_image(image).values()), {"success"})
        self.assertEqual(self.drop_image(base), {snapshot: "success"})

    def test_a_given_image_is_found_and_boots_with_its_files(self):
        name = "ubuntu/images/hvm-ssd/ubuntu-bionic-18.04-amd64-server-20200408"
        given = {"region": "eu-west-2", "owner": "099720109477", "name": name, "flavour": "ubuntu"}
        newer, older = (self.cloud.admin("POST", "images", {**given, "name": each})["id"] for each in (name, name.replace("20200408", "20200112")))
        found = self.cloud.client(region="eu-west-2").describe_images(Owners=["099720109477"], Filters=[
            {"Name": "name", "Values": ["ubuntu/images/*ubuntu-bionic-18.04-amd64-server-*"]}, {"Name": "root-device-type", "Values": ["ebs"]}])["Images"]
        self.assertEqual([image["ImageId"] for image in sorted(found, key=lambda image: image["CreationDate"])], [older, newer])
        files = {"/usr/local/bin/tool": {"text": "#!/bin/sh\necho tool\n"}, "/opt/open": {"text": "", "mode": "0666"}}
        image = self.cloud.admin("POST", "images", {**given, "region": "us-east-1", "id": "ami-0123456789abcdef0", "files": files})["id"]
        self.assertEqual(image, "ami-0123456789abcdef0")
        self.assertEqual(self.ssh(self.launch(image), "tool; echo more >> /opt/open; cat /opt/open"), "tool\nmore\n")
        self.assertNotIn("images", str(self.cloud.admin("GET", "leaks")), "what is planted is no leak")

    def test_stop_start_and_reboot_keep_the_disk_and_change_the_boot_id(self):
        instance = self.launch()
        boot_id = self.ssh(instance, "cat /proc/sys/kernel/random/boot_id; echo kept > kept; touch /tmp/gone")
        self.ec2.reboot_instances(InstanceIds=[instance])
        again = self.wait_for(lambda: self.other_boot(instance, boot_id), "another boot id")
        self.ssh(instance, "sudo reboot", check=False)
        third = self.wait_for(lambda: self.other_boot(instance, again), "a third boot id")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.until(instance, "stopped")
        self.refused("IncorrectInstanceState", self.ec2.reboot_instances, InstanceIds=[instance])
        self.ec2.start_instances(InstanceIds=[instance])
        self.until(instance, "running")
        self.assertEqual(self.ssh(instance, "cat kept; ls /tmp"), "kept\n")
        self.assertNotEqual(self.ssh(instance, "cat /proc/sys/kernel/random/boot_id"), third)
        self.assertEqual(self.ssh(instance, "wc -l < .ssh/authorized_keys"), "1\n", "the same instance id adds no key again")

    def other_boot(self, instance, before):
        done = self.ssh(instance, "cat /proc/sys/kernel/random/boot_id", check=False, waits=False)
        return done.stdout if done.returncode == 0 and done.stdout != before else None

    def test_a_first_boot_writes_keys_again_and_cleaning_shows(self):
        instance = self.launch()
        first = self.ssh(instance, "sudo cat /etc/ssh/ssh_host_ed25519_key.pub; cloud-init status --wait | tail -1")
        self.assertTrue(first.endswith("status: done\n"))
        self.ssh(instance, "sudo cloud-init clean --logs; sudo rm -f /etc/ssh/ssh_host_*; sudo truncate -s 0 /etc/machine-id")
        snapshot = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"][0]["SnapshotId"]
        self.snapshot_done(snapshot)
        layer = self.cloud.admin("GET", "snapshots")[snapshot][0]
        names = {name for _, _, files in os.walk(layer + "/etc/ssh") for name in files}
        self.assertFalse([name for name in names if name.startswith("ssh_host")], names)
        self.assertTrue(os.path.exists(layer + "/home/ubuntu/.ssh/authorized_keys"), "what a seal forgets is found in the layer")
        image = self.register("first/boot", snapshot)
        second = self.launch(image)
        fresh = self.ssh(second, "sudo cat /etc/ssh/ssh_host_ed25519_key.pub; wc -l < .ssh/authorized_keys; wc -c < /etc/machine-id")
        self.assertNotEqual(fresh.splitlines()[0], first.splitlines()[0])
        self.assertEqual(fresh.splitlines()[1:], ["1", "33"])
        self.terminate(instance, second)
        self.drop_image(image)

    def test_a_debian_package_is_really_installed(self):
        instance = self.launch()
        done = self.ssh(instance, "sudo apt-get update -qq >/dev/null 2>&1 && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq hello >/dev/null && hello", check=False)
        if done.returncode != 0 and "Unable to" in done.stderr:
            self.skipTest("no package archive within reach")
        self.assertEqual(done.stdout, "Hello, world!\n", done.stderr)
        snapshot = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"][0]["SnapshotId"]
        self.snapshot_done(snapshot)
        image = self.register("with/hello", snapshot)
        second = self.launch(image)
        self.assertEqual(self.ssh(second, "hello; dpkg-query -W -f '${Status}' hello"), "Hello, world!\ninstall ok installed")
        self.assertNotEqual(subprocess.run(["dpkg-query", "-W", "hello"], capture_output=True, check=False).returncode, 0, "the host is untouched")
        self.terminate(instance, second)
        self.drop_image(image)

    def test_nothing_is_left_and_what_is_left_is_named(self):
        self.ec2.delete_key_pair(KeyName="test")
        self.assertEqual(self.cloud.admin("GET", "leaks"), {})
        self.ec2.import_key_pair(KeyName="test", PublicKeyMaterial=self.public_key)
        group = self.ec2.create_security_group(GroupName="left", Description="left")["GroupId"]
        instance = self.launch(SecurityGroupIds=[group])
        found = self.cloud.admin("GET", "leaks")["123456789012/us-east-1"]
        self.assertEqual([entry["id"] for entry in found["instances"]], [instance])
        self.assertEqual([entry["id"] for entry in found["security-groups"]], [group])
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=group)
        eni = self.describe(instance)["NetworkInterfaces"][0]["NetworkInterfaceId"]
        default = self.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
        self.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Groups=[default])
        self.ec2.delete_security_group(GroupId=group)
        self.terminate(instance)
        self.ec2.delete_key_pair(KeyName="test")
        self.assertEqual(self.cloud.admin("GET", "leaks"), {})

    def test_layers_of_what_is_gone_are_gone(self):
        def layers():
            return {name for name in os.listdir(self.cloud.facts["state"] + "/s") if name.startswith(("l", "d"))}
        before = layers()
        instance = self.launch()
        self.ssh(instance, "sudo touch /opt/file")
        live = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"][0]
        self.halted(instance)
        quiet = self.ec2.create_snapshot(VolumeId=live["VolumeId"])
        for snapshot in (live, quiet):
            self.assertTrue(os.path.exists(self.cloud.admin("GET", "snapshots")[snapshot["SnapshotId"]][0] + "/opt/file"))
        self.terminate(instance)
        for snapshot in (live, quiet):
            self.snapshot_done(snapshot["SnapshotId"])
            self.ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
        self.wait_for(lambda: layers() == before, "no layer more than before")

    def test_a_data_volume_keeps_its_content_and_its_place(self):
        instance = self.launch(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3, "VolumeType": "gp3", "DeleteOnTermination": False}}])
        made = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"]
        self.assertEqual(sorted(entry["VolumeSize"] for entry in made), [3, 8])
        only = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance, "ExcludeBootVolume": True})["Snapshots"]
        self.assertEqual([entry["VolumeSize"] for entry in only], [3])
        for entry in made + only:
            self.snapshot_done(entry["SnapshotId"])
            self.ec2.delete_snapshot(SnapshotId=entry["SnapshotId"])
        self.terminate(instance)
        left = self.cloud.admin("GET", "leaks")["123456789012/us-east-1"]["volumes"]
        self.assertEqual(len(left), 1)
        self.ec2.delete_volume(VolumeId=left[0]["id"])
