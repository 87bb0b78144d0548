"""The row of the latency profile for each transition, and the random draws."""
import json
import os
import sys
import time
import unittest

from .harness import ROOT, CloudCase

sys.path.insert(0, ROOT)
from cloud.latency import Latency  # noqa: E402


class Rows(CloudCase):
    def setUp(self):
        super().setUp()
        self.cloud.admin("POST", "latency", {"create_image_full": 3600, "create_image_full_fast_volume": 3600, "create_image_incremental": 3600})

    def snapshot(self, instance):
        return self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"][0]["SnapshotId"]

    def completed_by(self, row, instance):
        self.cloud.admin("POST", "latency", {row: 0.1})
        snapshot = self.snapshot(instance)
        self.snapshot_done(snapshot)
        self.cloud.admin("POST", "latency", {row: 3600})
        return snapshot

    def test_a_fast_volume_and_owned_lineage_have_rows_of_their_own(self):
        slow = self.launch()
        fast = self.launch(BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeType": "gp3", "Iops": 4000, "Throughput": 1000}}])
        first = self.completed_by("create_image_full", slow)
        second = self.completed_by("create_image_full_fast_volume", fast)
        third = self.completed_by("create_image_incremental", slow)
        image = self.register("own/lineage", first)
        own = self.launch(image)
        fourth = self.completed_by("create_image_incremental", own)
        waiting = self.snapshot(own)
        self.cloud.admin("POST", "latency", {"create_image_incremental": 0.1})
        self.assertEqual(self.ec2.describe_snapshots(SnapshotIds=[waiting])["Snapshots"][0]["State"], "pending")
        self.drop_image(image)
        for snapshot in (second, third, fourth, waiting):
            self.ec2.delete_snapshot(SnapshotId=snapshot)

    def test_a_call_takes_its_groups_time(self):
        self.cloud.admin("POST", "latency", {"calls": {"describe": 0.3}})
        self.addCleanup(self.cloud.admin, "POST", "latency", {"calls": {"describe": 0}})
        started = time.monotonic()
        self.ec2.describe_regions()
        self.assertGreater(time.monotonic() - started, 0.3)


class Draws(unittest.TestCase):
    def test_the_same_seed_draws_the_same_between_least_and_most(self):
        def draws(seed):
            latency = Latency()
            latency.update({"seed": seed, "copy_image": [90, 270, 900]})
            return [latency.of("copy_image") for _ in range(2000)]
        one, again, other = draws(1), draws(1), draws(2)
        self.assertEqual(one, again)
        self.assertNotEqual(one, other)
        self.assertTrue(all(90 <= value <= 900 for value in one))
        self.assertAlmostEqual(sum(one) / len(one), (90 + 4 * 270 + 900) / 6, delta=15)

    def test_profiles_are_of_known_names(self):
        for name in ("aws-typical.json", "aws-drawn.json"):
            latency = Latency(os.path.join(ROOT, "profiles", name))
            self.assertEqual(latency.call("ec2", "RunInstances"), 1.4)
        with self.assertRaises(ValueError):
            Latency().update({"no_such_transition": 1})
        self.assertEqual(json.loads(json.dumps(latency.all()))["seed"], 1)
