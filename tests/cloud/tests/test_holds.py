"""What a test holds and releases: states, answers, and the clock."""
import concurrent.futures

from .harness import CloudCase


class Holds(CloudCase):
    def hold(self, action, kind="hold", **rule):
        return self.cloud.admin("POST", "faults", {"kind": kind, "action": action, **rule})[0]["id"]

    def release(self, rule):
        self.cloud.admin("DELETE", f"faults/{rule}")

    def hits(self, rule):
        return next(entry["hits"] for entry in self.cloud.admin("GET", "faults") if entry["id"] == rule)

    def state(self, instance):
        return self.describe(instance)["State"]["Name"]

    def advance(self, seconds):
        self.cloud.admin("POST", "clock", {"advance": seconds})

    def test_an_instance_stays_pending_stopping_and_shutting_down(self):
        rule = self.hold("RunInstances")
        instance = self.launch(wait=False)
        self.advance(3600)
        self.assertEqual((self.state(instance), self.hits(rule)), ("pending", 1))
        self.assertFalse(self.cloud.admin("GET", "instances")[-1]["alive"], "what is pending does not run")
        self.release(rule)
        self.until(instance, "running")

        rule = self.hold("StopInstances")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.wait_for(lambda: "Power down" in self.console(instance), "the guest's last line")
        self.advance(3600)
        self.assertEqual(self.state(instance), "stopping")
        self.release(rule)
        self.until(instance, "stopped")

        rule = self.hold("StartInstances")
        self.ec2.start_instances(InstanceIds=[instance])
        self.advance(3600)
        self.assertEqual(self.state(instance), "pending")
        self.release(rule)
        self.assertEqual(self.ssh(instance, "echo up"), "up\n")

        rule = self.hold("TerminateInstances")
        self.ec2.terminate_instances(InstanceIds=[instance])
        self.advance(3600)
        self.assertEqual(self.state(instance), "shutting-down")
        self.release(rule)
        self.until(instance, "terminated")

    def test_a_held_instance_can_be_terminated(self):
        rule = self.hold("RunInstances")
        instance = self.launch(wait=False)
        self.terminate(instance)
        self.release(rule)
        self.assertEqual(self.state(instance), "terminated")

    def test_snapshots_and_images_stay_pending(self):
        instance = self.launch()
        rule = self.hold(["CreateSnapshots", "CopySnapshot", "RegisterImage", "CopyImage"])
        snapshot = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"][0]["SnapshotId"]
        self.advance(3600)
        shown = self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
        self.assertEqual((shown["State"], shown["Progress"]), ("pending", "99%"))
        self.release(rule)
        self.snapshot_done(snapshot)
        rule = self.hold("RegisterImage")
        image = self.ec2.register_image(Name="held", Architecture="x86_64", VirtualizationType="hvm", EnaSupport=True, RootDeviceName="/dev/sda1",
                                        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}])["ImageId"]
        self.advance(3600)
        self.assertEqual(self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"], "pending")
        self.release(rule)
        self.image_available(image)
        self.drop_image(image)

    def test_an_answer_is_held_and_given_all_the_same(self):
        rule = self.hold("DescribeRegions", kind="hold-answer")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self.ec2.describe_regions)
            self.wait_for(lambda: self.hits(rule) == 1, "the call came in")
            self.assertTrue(self.ubuntu(), "other calls are answered")
            self.assertFalse(asked.done())
            self.release(rule)
            self.assertTrue(asked.result()["Regions"])

    def test_all_rules_are_released_at_once(self):
        self.hold("RunInstances")
        first, second = self.launch(wait=False), self.launch(wait=False)
        self.cloud.admin("DELETE", "faults")
        self.until(first, "running")
        self.until(second, "running")

    def test_time_is_moved_by_hand(self):
        self.cloud.admin("POST", "latency", {"instance_pending_to_running": 3600})
        self.addCleanup(self.cloud.admin, "POST", "latency", {"instance_pending_to_running": 0.4})
        instance = self.launch(wait=False)
        self.assertEqual(self.state(instance), "pending")
        self.advance(3601)
        self.until(instance, "running")
        with self.assertRaises(OSError):
            self.advance(-1)

    def test_the_timers_of_a_guest_move_too(self):
        instance = self.launch(InstanceInitiatedShutdownBehavior="terminate")
        self.ssh(instance, "sudo systemd-run --quiet --unit=dead-man --on-active=2h systemctl poweroff")
        self.advance(3600)
        self.assertEqual(self.ssh(instance, "sudo systemctl is-active dead-man.timer"), "active\n")
        self.advance(3600)
        self.until(instance, "terminated")
