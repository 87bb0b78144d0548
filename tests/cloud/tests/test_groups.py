"""Groups, instance refreshes and launch templates: documented states, and refusals."""
from .harness import CloudCase

FAST = {"MinHealthyPercentage": 60}


class Groups(CloudCase):
    def setUp(self):
        super().setUp()
        self.groups = self.cloud.client("autoscaling")
        image = self.ubuntu()
        data = {"ImageId": image, "InstanceType": "t3.small", "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": "snap-0123456789abcdef0", "VolumeSize": 9}}]}
        self.template = self.ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
        self.addCleanup(self.ec2.delete_launch_template, LaunchTemplateId=self.template)
        self.version(ImageId=image)

    def version(self, **data):
        return self.ec2.create_launch_template_version(LaunchTemplateId=self.template, SourceVersion="1", LaunchTemplateData=data)["LaunchTemplateVersion"]

    def group(self, version, count=5, name="web"):
        self.groups.create_auto_scaling_group(AutoScalingGroupName=name, MinSize=count, MaxSize=9, AvailabilityZones=["us-east-1a"],
                                              LaunchTemplate={"LaunchTemplateId": self.template, "Version": version})
        self.addCleanup(self.groups.delete_auto_scaling_group, AutoScalingGroupName=name, ForceDelete=True)

    def described(self, name="web"):
        return self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]

    def versions(self):
        return [instance["LaunchTemplate"]["Version"] for instance in self.described()["Instances"]]

    def start(self, version="2", **preferences):
        desired = {"DesiredConfiguration": {"LaunchTemplate": {"LaunchTemplateId": self.template, "Version": version}}} if version else {}
        return self.groups.start_instance_refresh(AutoScalingGroupName="web", Preferences={**FAST, **preferences}, **desired)["InstanceRefreshId"]

    def ends(self, refresh, status):
        def there():
            found = self.groups.describe_instance_refreshes(AutoScalingGroupName="web", InstanceRefreshIds=[refresh])["InstanceRefreshes"][0]
            return found if found["Status"] == status else None
        return self.wait_for(there, f"{refresh} {status}")

    def test_a_version_inherits_all_but_snapshots_and_numbers_are_used_once(self):
        made = self.version(ImageId="ami-12345678")
        self.assertEqual(made["LaunchTemplateData"]["BlockDeviceMappings"], [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 9}}])
        self.assertEqual(made["LaunchTemplateData"]["InstanceType"], "t3.small")
        deleted = self.ec2.delete_launch_template_versions(LaunchTemplateId=self.template, Versions=["3", "1", "9"])
        self.assertEqual([entry["VersionNumber"] for entry in deleted["SuccessfullyDeletedLaunchTemplateVersions"]], [3])
        self.assertEqual([entry["ResponseError"]["Code"] for entry in deleted["UnsuccessfullyDeletedLaunchTemplateVersions"]], ["unexpectedError", "launchTemplateVersionDoesNotExist"])
        latest = self.ec2.describe_launch_template_versions(LaunchTemplateId=self.template, Versions=["$Latest"])["LaunchTemplateVersions"]
        self.assertEqual([entry["VersionNumber"] for entry in latest], [2])
        self.assertEqual(self.version(ImageId="ami-12345678")["VersionNumber"], 4)

    def test_a_refresh_moves_instances_first_and_the_group_at_its_end(self):
        self.group("1")
        self.wait_for(lambda: all(i["LifecycleState"] == "InService" for i in self.described()["Instances"]), "in service")
        refresh = self.start()
        self.assertEqual(self.described()["LaunchTemplate"]["Version"], "1")
        self.refused("InstanceRefreshInProgress", self.start)
        self.assertEqual(self.ends(refresh, "Successful")["PercentageComplete"], 100)
        self.assertEqual((self.described()["LaunchTemplate"]["Version"], self.versions()), ("2", ["2"] * 5))
        self.refused("ActiveInstanceRefreshNotFound", self.groups.cancel_instance_refresh, AutoScalingGroupName="web")
        self.refused("ActiveInstanceRefreshNotFound", self.groups.rollback_instance_refresh, AutoScalingGroupName="web")
        self.refused("ResourceInUse", self.groups.delete_auto_scaling_group, AutoScalingGroupName="web")

    def test_a_failed_refresh_stays_as_it_is_or_goes_back(self):
        self.group("1")
        self.cloud.admin("POST", "faults", {"kind": "refresh-fails", "at": 40})
        failed = self.ends(self.start(), "Failed")
        self.assertEqual((failed["PercentageComplete"], sorted(self.versions()), self.described()["LaunchTemplate"]["Version"]), (40, ["1", "1", "1", "2", "2"], "1"))
        self.cloud.admin("POST", "faults", [{"kind": "refresh-fails", "at": 60}, {"kind": "rollback-fails"}])
        self.ends(self.start(AutoRollback=True, SkipMatching=True), "RollbackFailed")
        self.cloud.admin("POST", "faults", {"kind": "hold", "action": "StartInstanceRefresh", "at": 60})
        refresh = self.start(AutoRollback=True)
        self.wait_for(lambda: self.groups.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"][0]["PercentageComplete"] >= 60, "60 %")
        self.groups.rollback_instance_refresh(AutoScalingGroupName="web")
        self.assertIn("requested", self.ends(refresh, "RollbackSuccessful")["RollbackDetails"]["RollbackReason"])
        self.assertEqual(self.versions(), ["1"] * 5)

    def test_a_held_refresh_goes_no_further_until_it_is_released(self):
        self.group("1")
        rule = self.cloud.admin("POST", "faults", {"kind": "hold", "action": "StartInstanceRefresh", "at": 40})[0]["id"]
        refresh = self.start()
        self.wait_for(lambda: sorted(self.versions()) == ["1", "1", "1", "2", "2"], "40 %")
        self.cloud.admin("POST", "clock", {"advance": 3600})
        shown = self.groups.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"][0]
        self.assertEqual((shown["Status"], shown["PercentageComplete"]), ("InProgress", 40))
        self.cloud.admin("DELETE", f"faults/{rule}")
        self.ends(refresh, "Successful")

    def test_instances_of_a_held_group_stay_pending(self):
        rule = self.cloud.admin("POST", "faults", {"kind": "hold", "action": "CreateAutoScalingGroup"})[0]["id"]
        self.group("1", 2)
        self.cloud.admin("POST", "clock", {"advance": 3600})
        states = lambda: [instance["LifecycleState"] for instance in self.described()["Instances"]]
        self.assertEqual(states(), ["Pending"] * 2)
        self.cloud.admin("DELETE", f"faults/{rule}")
        self.wait_for(lambda: states() == ["InService"] * 2, "in service")

    def test_only_a_group_on_a_number_goes_back(self):
        self.group("$Default")
        self.refused("ValidationError", self.start, AutoRollback=True)
        self.refused("ValidationError", self.start, version="7")
        self.cloud.admin("POST", "faults", {"kind": "hold", "action": "StartInstanceRefresh"})
        refresh = self.start()
        self.refused("IrreversibleInstanceRefresh", self.groups.rollback_instance_refresh, AutoScalingGroupName="web")
        self.groups.cancel_instance_refresh(AutoScalingGroupName="web")
        self.ends(refresh, "Cancelled")
        self.refused("ValidationError", self.start, version=None, AutoRollback=True)
        self.refused("ValidationError", self.start, MaxHealthyPercentage=170)

    def test_checkpoints_pause(self):
        self.group("1", 2)
        refresh = self.start(CheckpointPercentages=[50, 100], CheckpointDelay=3600)
        self.wait_for(lambda: sorted(self.versions()) == ["1", "2"], "the checkpoint")
        shown = self.groups.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"][0]
        self.assertIn("Waiting for 3600 seconds", shown["StatusReason"])
        self.cloud.admin("POST", "clock", {"advance": 3600})
        self.ends(refresh, "Successful")

    def test_two_groups_may_have_policies_of_one_name(self):
        for name in ("web", "web-v000"):
            self.group("1", 1, name)
            self.groups.put_scaling_policy(AutoScalingGroupName=name, PolicyName="busy", PolicyType="TargetTrackingScaling", TargetTrackingConfiguration={
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 50.0})
            self.groups.put_scheduled_update_group_action(AutoScalingGroupName=name, ScheduledActionName="night", Recurrence="0 0 * * *", MinSize=1)
        for name in ("web", "web-v000"):
            self.assertEqual(len(self.groups.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]), 1)
            self.assertEqual(len(self.groups.describe_scheduled_actions(AutoScalingGroupName=name)["ScheduledUpdateGroupActions"]), 1)
