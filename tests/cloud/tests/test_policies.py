"""Calls are checked against the policy of their access key: resources, tags, conditions, and further permissions
that a call needs."""
import unittest

from botocore.exceptions import ClientError

from cloud.iam.document import Context, Document

from .harness import CloudCase

KEY = "AKIA0123456789ABCDEF"
TAGS = [{"Key": "ami-bake:run", "Value": "1"}]


def statement(action, resource="*", effect="Allow", **condition):
    return {"Effect": effect, "Action": action, "Resource": resource, **({"Condition": condition} if condition else {})}


class Documents(unittest.TestCase):
    def decide(self, *statements, action="ec2:StopInstances", resource="arn:aws:ec2:us-east-1:1:instance/i-1", **keys):
        return Document({"Version": "2012-10-17", "Statement": list(statements)}).decide(action, resource, Context(keys)).allowed

    def test_wildcards_of_actions_and_resources(self):
        self.assertTrue(self.decide(statement("EC2:stop*", "arn:aws:ec2:*:*:instance/*")))
        self.assertFalse(self.decide(statement("ec2:Start*")))
        self.assertFalse(self.decide(statement("ec2:*", "arn:aws:ec2:*::instance/*")), "another account")
        self.assertFalse(self.decide({"Effect": "Allow", "NotAction": "ec2:Stop*", "Resource": "*"}))
        self.assertTrue(self.decide({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:ec2:*:*:volume/*"}))

    def test_an_explicit_deny_wins(self):
        self.assertFalse(self.decide(statement("*"), statement("ec2:StopInstances", effect="Deny")))
        self.assertFalse(self.decide(), "what nothing allows is denied")

    def test_conditions(self):
        yes = lambda keys, **condition: self.assertTrue(self.decide(statement("*", **condition), **keys), condition)  # noqa: E731
        no = lambda keys, **condition: self.assertFalse(self.decide(statement("*", **condition), **keys), condition)  # noqa: E731
        tagged = {"aws:ResourceTag/Team": "web"}
        yes(tagged, StringEquals={"aws:resourcetag/Team": ["db", "web"]})
        no(tagged, StringEquals={"aws:ResourceTag/team": "web"})
        no({}, StringEquals={"aws:ResourceTag/Team": "web"})
        yes({}, StringEqualsIfExists={"aws:ResourceTag/Team": "web"})
        yes({}, StringNotEquals={"aws:ResourceTag/Team": "web"})
        yes(tagged, Null={"aws:ResourceTag/Team": "false"})
        no(tagged, Null={"aws:ResourceTag/Team": True})
        yes({"aws:TagKeys": ["a", "b"]}, **{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}})
        no({"aws:TagKeys": ["a", "d"]}, **{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}})
        yes({}, **{"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}})
        yes({"aws:TagKeys": ["a", "d"]}, **{"ForAnyValue:StringLike": {"aws:TagKeys": "d*"}})
        no({}, **{"ForAnyValue:StringLike": {"aws:TagKeys": "d*"}})
        yes({"kms:GrantIsForAWSResource": "true"}, Bool={"kms:GrantIsForAWSResource": True})
        yes({"ec2:LaunchTemplate": "arn:aws:ec2:r:1:launch-template/lt-1"}, ArnLike={"ec2:LaunchTemplate": "arn:aws:ec2:*:*:launch-template/lt-?"})
        with self.assertRaises(ValueError):
            self.decide(statement("*", StringEqualsButNotQuite={"a": "b"}))


class Policies(CloudCase):
    def allow(self, *statements):
        self.cloud.admin("POST", "policies", {"key": KEY, "policy": {"Version": "2012-10-17", "Statement": list(statements)}})

    def as_key(self, service="ec2"):
        import boto3
        from botocore.config import Config
        return boto3.client(service, region_name="us-east-1", endpoint_url=self.cloud.endpoint, aws_access_key_id=KEY, aws_secret_access_key="test",
                            config=Config(retries={"max_attempts": 0, "mode": "standard"}))

    def denied(self, work, *arguments, **options):
        """The action and the resource for which a refused call lacks permission."""
        with self.assertRaises(ClientError) as caught:
            work(*arguments, **options)
        found = self.cloud.admin("GET", "denied")[-1]
        self.assertIn(found["action"], str(caught.exception))
        return found["action"], found["resource"].split(":")[-1]

    def test_a_launch_is_judged_on_all_that_it_uses_and_makes(self):
        image, options = self.ubuntu(), {"InstanceType": "t3.small", "KeyName": "test", "MinCount": 1, "MaxCount": 1, "DryRun": True}
        launch = lambda **more: self.as_key().run_instances(ImageId=image, **options, **more)  # noqa: E731
        made = {"Null": {"aws:RequestTag/ami-bake:run": "false"}}
        uses = [f"arn:aws:ec2:*:*:{kind}/*" for kind in ("subnet", "security-group", "key-pair")] + ["arn:aws:ec2:*::image/*"]
        makes = [f"arn:aws:ec2:*:*:{kind}/*" for kind in ("instance", "volume", "network-interface")]
        tags = [{"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "volume", "network-interface")]
        self.allow(statement("ec2:RunInstances", uses), statement("ec2:RunInstances", makes, **made))
        self.assertEqual(self.denied(launch), ("ec2:RunInstances", "instance/*"))
        self.assertEqual(self.denied(launch, TagSpecifications=tags), ("ec2:CreateTags", "instance/*"), "tagging is an action of its own")
        tag = statement("ec2:CreateTags", "*", StringEquals={"ec2:CreateAction": "RunInstances"})
        self.allow(statement("ec2:RunInstances", uses), statement("ec2:RunInstances", makes, **made), tag)
        self.refused("DryRunOperation", launch, TagSpecifications=tags)
        self.assertEqual(self.denied(launch, TagSpecifications=tags[:2]), ("ec2:RunInstances", "network-interface/*"))
        self.allow(statement("ec2:RunInstances", uses[:-1]), statement("ec2:RunInstances", makes, **made), tag)
        self.assertEqual(self.denied(launch, TagSpecifications=tags), ("ec2:RunInstances", f"image/{image}"))
        self.allow(statement(["ec2:RunInstances", "ec2:CreateTags"]))
        spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
        self.refused("AuthFailure.ServiceLinkedRoleCreationNotPermitted", launch, TagSpecifications=tags, **spot)
        self.allow(statement(["ec2:RunInstances", "ec2:CreateTags"]), statement("iam:CreateServiceLinkedRole", StringEquals={"iam:AWSServiceName": "spot.amazonaws.com"}))
        self.refused("DryRunOperation", launch, TagSpecifications=tags, **spot)

    def test_what_is_there_is_judged_by_its_tags(self):
        group = self.ec2.create_security_group(GroupName="one", Description="one", TagSpecifications=[{"ResourceType": "security-group", "Tags": TAGS}])["GroupId"]
        other = self.ec2.create_security_group(GroupName="two", Description="two")["GroupId"]
        self.addCleanup(self.ec2.delete_security_group, GroupId=other)
        self.allow(statement(["ec2:DeleteSecurityGroup", "ec2:CreateTags"], "arn:aws:ec2:*:*:security-group/*", Null={"aws:ResourceTag/ami-bake:run": "false"}))
        client = self.as_key()
        self.assertEqual(self.denied(client.delete_security_group, GroupId=other), ("ec2:DeleteSecurityGroup", f"security-group/{other}"))
        self.assertEqual(self.denied(client.create_tags, Resources=[other], Tags=TAGS), ("ec2:CreateTags", f"security-group/{other}"), "it can't make it its own")
        client.delete_security_group(GroupId=group)
        self.assertEqual(self.denied(client.describe_instances), ("ec2:DescribeInstances", "*"))

    def test_roles_by_path_and_whom_they_are_passed_to(self):
        self.allow(statement(["iam:CreateRole", "iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile"], ["arn:aws:iam::*:role/ami-bake/*", "arn:aws:iam::*:instance-profile/ami-bake/*"]),
                   statement("iam:PassRole", "arn:aws:iam::*:role/ami-bake/*", StringEquals={"iam:PassedToService": "ec2.amazonaws.com"}))
        iam = self.as_key("iam")
        self.assertEqual(self.denied(iam.create_role, RoleName="one", AssumeRolePolicyDocument="{}"), ("iam:CreateRole", "role/one"))
        self.assertEqual(self.denied(iam.create_role, RoleName="one", Path="/ami-bake/", AssumeRolePolicyDocument="{}", Tags=TAGS), ("iam:TagRole", "role/ami-bake/one"))
        iam.create_role(RoleName="one", Path="/ami-bake/", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="one", Path="/ami-bake/")
        iam.add_role_to_instance_profile(InstanceProfileName="one", RoleName="one")
        self.allow(statement("ec2:*"))
        launch = {"ImageId": self.ubuntu(), "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, "DryRun": True}
        self.assertEqual(self.denied(self.as_key().run_instances, IamInstanceProfile={"Name": "one"}, **launch), ("iam:PassRole", "role/ami-bake/one"))

    def test_a_copy_is_judged_on_its_source_and_its_keys(self):
        self.allow(statement("ec2:CopyImage", ["arn:aws:ec2:us-east-1::image/*", "arn:aws:ec2:us-east-1::snapshot/*"]))
        copy = self.as_key().copy_image
        far = self.cloud.client(region="eu-west-1")
        image = self.ubuntu(far)
        self.assertEqual(self.denied(copy, Name="one", SourceImageId=image, SourceRegion="eu-west-1"), ("ec2:CopyImage", f"image/{image}"))
        self.assertEqual(self.denied(copy, Name="one", SourceImageId=self.ubuntu(), SourceRegion="us-east-1", Encrypted=True, KmsKeyId="alias/images")[0], "kms:DescribeKey")

    def test_who_has_no_policy_may_do_all(self):
        self.ec2.describe_instances()
        self.assertEqual([one for one in self.cloud.admin("GET", "denied") if one["principal"].endswith("nobody")], [])
