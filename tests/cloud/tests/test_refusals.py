"""Calls that EC2 refuses and moto accepts."""

from .harness import CloudCase


class Refusals(CloudCase):
    def start(self, **options):
        options = {"ImageId": self.ubuntu(), "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, **options}
        return self.ec2.run_instances(**options)["Instances"][0]["InstanceId"]

    def disk(self, **ebs):
        return [{"DeviceName": "/dev/sda1", "Ebs": ebs}]

    def test_launches(self):
        self.refused("InvalidAMIID.NotFound", self.start, ImageId="ami-00000000000000000")
        self.refused("InvalidAMIID.Malformed", self.start, ImageId="nonsense")
        self.refused("InvalidKeyPair.NotFound", self.start, KeyName="none")
        self.refused("InvalidGroup.NotFound", self.start, SecurityGroupIds=["sg-00000000000000000"])
        self.refused("InvalidParameterValue", self.start, InstanceType="t3.gigantic")
        self.refused("InvalidParameterValue", self.start, InstanceType="c7g.large")
        self.refused("InvalidParameterValue", self.start, UserData="x" * 16385)
        self.refused("InvalidParameterValue", self.start, ClientToken="x" * 65)
        self.refused("DryRunOperation", self.start, DryRun=True)
        self.assertEqual(self.refused("DryRunOperation", self.start, DryRun=True).response["ResponseMetadata"]["HTTPStatusCode"], 412)

    def test_regions(self):
        names = lambda **options: {one["RegionName"]: one["OptInStatus"] for one in self.ec2.describe_regions(**options)["Regions"]}  # noqa: E731
        self.assertEqual(names(AllRegions=True, Filters=[{"Name": "region-name", "Values": ["ap-east-1", "eu-west-1", "no-where-1"]}]),
                         {"ap-east-1": "not-opted-in", "eu-west-1": "opt-in-not-required"})
        self.assertNotIn("ap-east-1", names())
        self.assertNotIn("cn-north-1", names(AllRegions=True))
        self.refused("AuthFailure", self.cloud.client(region="ap-east-1").describe_images, Owners=["self"])

    def test_gp3_figures(self):
        self.refused("InvalidParameterValue", self.start, BlockDeviceMappings=self.disk(VolumeType="gp3", Iops=4001))
        self.refused("InvalidParameterValue", self.start, BlockDeviceMappings=self.disk(VolumeType="gp3", Throughput=1000))
        self.refused("InvalidParameterValue", self.start, BlockDeviceMappings=self.disk(VolumeType="gp3", Iops=4000, Throughput=1001))
        self.refused("InvalidBlockDeviceMapping", self.start, BlockDeviceMappings=self.disk(VolumeSize=7))
        instance = self.launch(BlockDeviceMappings=self.disk(VolumeType="gp3", Iops=4000, Throughput=1000))
        volume = self.describe(instance)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        shown = self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
        self.assertEqual((shown["Iops"], shown["Throughput"], shown["Size"], shown["VolumeType"]), (4000, 1000, 8, "gp3"))

    def test_client_token(self):
        one = self.launch(ClientToken="token-1", wait=False)
        self.assertEqual(self.start(ClientToken="token-1", KeyName="test"), one)
        self.refused("IdempotentParameterMismatch", self.start, ClientToken="token-1", KeyName="test", InstanceType="t3.medium")
        self.assertEqual(len(self.cloud.admin("GET", "leaks")["123456789012/us-east-1"]["instances"]), 1)

    def test_tags(self):
        def tagged(tags):
            return self.start(TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags]}])
        self.refused("InvalidParameterValue", tagged, [("aws:mine", "x")])
        self.refused("InvalidParameterValue", tagged, [("k" * 129, "x")])
        self.refused("InvalidParameterValue", tagged, [("k", "v" * 257)])
        self.refused("InvalidParameterValue", tagged, [("k", "1"), ("k", "2")])
        self.refused("TagLimitExceeded", tagged, [(f"k{n}", "x") for n in range(51)])

    def test_images(self):
        instance = self.launch()
        snapshot = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"][0]["SnapshotId"]
        mapping = self.disk(SnapshotId=snapshot)
        self.snapshot_done(snapshot)
        for name in ("x" * 129, "a+b+c", "semi;colon"):
            self.refused("InvalidAMIName.Malformed", self.ec2.register_image, Name=name, RootDeviceName="/dev/sda1", BlockDeviceMappings=mapping)
        self.refused("InvalidBlockDeviceMapping", self.ec2.register_image, Name="no root", BlockDeviceMappings=mapping)
        self.refused("InvalidSnapshot.NotFound", self.ec2.register_image, Name="no snap", RootDeviceName="/dev/sda1", BlockDeviceMappings=self.disk(SnapshotId="snap-00000000000000000"))
        # EbsBlockDevice in the EC2 API reference: Encrypted and KmsKeyId of images; a volume needs a size or a snapshot.
        further = {"kms": ("InvalidParameterCombination", {"VolumeSize": 4, "KmsKeyId": "alias/x"}), "no size": ("InvalidBlockDeviceMapping", {"VolumeType": "gp3"}),
                   "encrypted": ("InvalidBlockDeviceMapping", {"SnapshotId": snapshot, "Encrypted": True})}
        for name, (code, ebs) in further.items():
            self.refused(code, self.ec2.register_image, Name=name, RootDeviceName="/dev/sda1", BlockDeviceMappings=[*mapping, {"DeviceName": "/dev/sdf", "Ebs": ebs}])
        bare = self.ec2.register_image(Name="no architecture", RootDeviceName="/dev/sda1", BlockDeviceMappings=mapping)["ImageId"]
        self.image_available(bare)
        shown = self.ec2.describe_images(ImageIds=[bare])["Images"][0]
        self.assertEqual((shown["Architecture"], shown["VirtualizationType"]), ("i386", "paravirtual"))
        self.refused("InvalidParameterValue", self.start, ImageId=bare)
        self.refused("InvalidAMIName.Duplicate", self.register, "no architecture", snapshot)
        no_ena = self.register("no ena", snapshot, EnaSupport=False)
        self.refused("InvalidParameterCombination", self.start, ImageId=no_ena)
        both = self.register("both [1] (2)/x.y-z'@_", snapshot, BootMode="uefi", TpmSupport="v2.0", ImdsSupport="v2.0", UefiData="QU1aTlVFRkk=")
        self.assertEqual(self.ec2.describe_image_attribute(ImageId=both, Attribute="uefiData")["UefiData"]["Value"], "QU1aTlVFRkk=")
        self.refused("AuthFailure", self.ec2.describe_image_attribute, ImageId=self.ubuntu(), Attribute="uefiData")
        self.assertEqual(self.drop_image(both), {snapshot: "skipped"})
        self.assertEqual(self.drop_image(no_ena), {snapshot: "skipped"})
        self.assertEqual(self.drop_image(bare), {snapshot: "success"})
        self.refused("InvalidSnapshot.NotFound", self.ec2.describe_snapshots, SnapshotIds=[snapshot])

    def test_a_pending_snapshot_makes_no_image(self):
        instance = self.launch()
        snapshot = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"][0]["SnapshotId"]
        self.refused("IncorrectState", self.ec2.register_image, Name="too soon", RootDeviceName="/dev/sda1", BlockDeviceMappings=self.disk(SnapshotId=snapshot))
        self.snapshot_done(snapshot)
        self.ec2.delete_snapshot(SnapshotId=snapshot)

    def test_create_image_fails_when_the_machine_goes_too_early(self):
        instance = self.launch()
        self.ec2.stop_instances(InstanceIds=[instance])
        self.until(instance, "stopped")
        image = self.ec2.create_image(InstanceId=instance, Name="too early")["ImageId"]
        self.terminate(instance)
        shown = self.ec2.describe_images(ImageIds=[image])["Images"][0]
        self.assertEqual((shown["State"], shown["StateReason"]["Code"]), ("failed", "Client.InstanceTerminated"))
        self.drop_image(image)

    def test_states(self):
        spot = self.launch(InstanceMarketOptions={"MarketType": "spot"})
        self.assertEqual(self.describe(spot)["InstanceLifecycle"], "spot")
        self.refused("UnsupportedOperation", self.ec2.stop_instances, InstanceIds=[spot])
        pending = self.launch(wait=False)
        self.refused("IncorrectInstanceState", self.ec2.stop_instances, InstanceIds=[pending])
        self.until(pending, "running")
        self.ec2.stop_instances(InstanceIds=[pending])
        self.refused("IncorrectInstanceState", self.ec2.start_instances, InstanceIds=[pending])
        self.terminate(pending)
        self.refused("IncorrectInstanceState", self.ec2.stop_instances, InstanceIds=[pending])
        self.assertNotIn("PublicIpAddress", self.describe(pending))

    def test_groups(self):
        create = self.ec2.create_security_group
        self.refused("InvalidParameterValue", create, GroupName="x" * 256, Description="d")
        self.refused("InvalidParameterValue", create, GroupName="sg-mine", Description="d")
        self.refused("InvalidParameterValue", create, GroupName="ok", Description="line\nbreak")
        group = create(GroupName="ok", Description="d")["GroupId"]
        self.refused("InvalidGroup.Duplicate", create, GroupName="ok", Description="d")
        self.ec2.delete_security_group(GroupId=group)

    def test_product_codes_and_billing_go_with_create_image_and_not_with_register(self):
        rhel = self.ec2.describe_images(Owners=["309956199498"])["Images"][0]
        self.assertEqual((rhel["UsageOperation"], rhel["PlatformDetails"]), ("RunInstances:0010", "Red Hat Enterprise Linux"))
        instance = self.launch(rhel["ImageId"])
        image = self.ec2.create_image(InstanceId=instance, Name="rhel/copy", NoReboot=True)["ImageId"]
        self.image_available(image)
        shown = self.ec2.describe_images(ImageIds=[image])["Images"][0]
        self.assertEqual((shown["UsageOperation"], shown["ProductCodes"]), (rhel["UsageOperation"], rhel["ProductCodes"]))
        other = self.cloud.client(region="eu-west-1")
        copy = other.copy_image(SourceImageId=image, SourceRegion="us-east-1", Name="rhel/far")["ImageId"]
        self.wait_for(lambda: other.describe_images(ImageIds=[copy])["Images"][0]["State"] == "available", "the copy")
        far = other.describe_images(ImageIds=[copy])["Images"][0]
        self.assertEqual((far["State"], far["UsageOperation"]), ("available", rhel["UsageOperation"]))
        other.deregister_image(ImageId=copy, DeleteAssociatedSnapshots=True)
        self.drop_image(image)

    def test_an_instance_profile_must_be_there_and_settled(self):
        self.refused("InvalidParameterValue", self.start, IamInstanceProfile={"Name": "none"})
        iam = self.cloud.client("iam")
        self.cloud.admin("POST", "latency", {"iam_instance_profile_usable": 3600})
        self.addCleanup(self.cloud.admin, "POST", "latency", {"iam_instance_profile_usable": 0.0})
        iam.create_role(RoleName="machine", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="machine")
        iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="machine")
        self.refused("InvalidParameterValue", self.start, IamInstanceProfile={"Name": "machine"})
        self.cloud.admin("POST", "latency", {"iam_instance_profile_usable": 0.0})
        instance = self.launch(IamInstanceProfile={"Name": "machine"})
        self.assertTrue(self.describe(instance)["IamInstanceProfile"]["Arn"].endswith("/machine"))
        self.terminate(instance)
        iam.remove_role_from_instance_profile(InstanceProfileName="machine", RoleName="machine")
        iam.delete_instance_profile(InstanceProfileName="machine")
        iam.delete_role(RoleName="machine")
