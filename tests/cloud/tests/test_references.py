"""References to an image, parameters with an image, and what another account may copy."""
import boto3

from .harness import CloudCase

OTHER = "222222222222"


class References(CloudCase):
    def image(self):
        instance = self.launch()
        snapshot = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"][0]["SnapshotId"]
        self.snapshot_done(snapshot)
        image = self.register(f"test/{snapshot}", snapshot)
        self.addCleanup(self.ec2.deregister_image, ImageId=image, DeleteAssociatedSnapshots=True)
        return image, snapshot

    def users(self, image, **options):
        options = options or {"IncludeAllResourceTypes": True}
        return sorted(one["ResourceType"] for one in self.ec2.describe_image_references(ImageIds=[image], **options)["ImageReferences"])

    def test_who_refers(self):
        image, _ = self.image()
        self.assertEqual(self.users(image), [])
        template = self.ec2.create_launch_template(LaunchTemplateName="old", LaunchTemplateData={"ImageId": image})["LaunchTemplate"]["LaunchTemplateId"]
        self.addCleanup(self.ec2.delete_launch_template, LaunchTemplateId=template)
        for _ in range(10):
            self.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"ImageId": self.ubuntu()})
        self.assertEqual(self.users(image), [], "ten versions are looked at")
        depth = [{"ResourceType": "ec2:LaunchTemplate", "ResourceTypeOptions": [{"OptionName": "version-depth", "OptionValues": ["10000"]}]}]
        self.assertEqual(self.users(image, ResourceTypes=depth), ["ec2:LaunchTemplate"])
        parameters = self.cloud.client("ssm")
        parameters.put_parameter(Name="/test/image", Value=image, Type="String", DataType="aws:ec2:image")
        self.addCleanup(parameters.delete_parameter, Name="/test/image")
        self.assertEqual(self.users(image, IncludeAllResourceTypes=True, ResourceTypes=depth), ["ec2:LaunchTemplate", "ssm:Parameter"])
        self.refused("MissingParameter", self.ec2.describe_image_references, ImageIds=[image])
        self.refused("InvalidParameterValue", self.ec2.describe_image_references, ImageIds=[image] * 11, IncludeAllResourceTypes=True)

    def test_a_parameter_is_judged_after_the_answer(self):
        parameters = self.cloud.client("ssm")
        parameters.put_parameter(Name="/test/none", Value="ami-00000000000000000", Type="String", DataType="aws:ec2:image")
        self.refused("ParameterNotFound", parameters.get_parameter, Name="/test/none")

    def test_another_account_copies_what_is_shared_with_it(self):
        image, snapshot = self.image()
        role = self.cloud.client("sts").assume_role(RoleArn=f"arn:aws:iam::{OTHER}:role/bake", RoleSessionName="test")["Credentials"]
        other = boto3.client("ec2", region_name="us-east-1", endpoint_url=self.cloud.endpoint, aws_access_key_id=role["AccessKeyId"],
                             aws_secret_access_key=role["SecretAccessKey"], aws_session_token=role["SessionToken"])
        copy = {"SourceRegion": "us-east-1", "SourceSnapshotId": snapshot}
        self.refused("InvalidSnapshot.NotFound", other.copy_snapshot, **copy)
        self.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": OTHER}]})
        self.refused("InvalidSnapshot.NotFound", other.copy_image, Name="test/copy", SourceRegion="us-east-1", SourceImageId=image)
        self.ec2.modify_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=[OTHER])
        made = other.copy_snapshot(**copy)["SnapshotId"]
        self.addCleanup(other.delete_snapshot, SnapshotId=made)
        self.assertEqual(other.describe_snapshots(SnapshotIds=[made])["Snapshots"][0]["OwnerId"], OTHER)
