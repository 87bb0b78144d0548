"""The permissions that a call needs: actions on resources, each with its condition keys.

The resource types of each action and their keys are those of the Service Authorization Reference (actions, resources,
and condition keys for Amazon EC2, IAM, Systems Manager, Auto Scaling, S3, KMS). Further actions that a call needs come
from the guides that are named beside them."""
from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from .document import Context, listed
from .facts import attached, call_is_spot, key_facts, kind_of, look_up, request_tags, snapshots_of, tags_of, template_data, volumes_of

# action of EC2: the types of resources that it creates, and the parameters that name resources it uses. `?` marks those
# that are only checked if given.
CREATES = {
    "CopyImage": ("image", "snapshot"), "CopySnapshot": ("snapshot",), "CreateImage": ("image", "snapshot"), "CreateSnapshots": ("snapshot",),
    "CreateSnapshot": ("snapshot",), "CreateSecurityGroup": ("security-group",), "CreateKeyPair": ("key-pair",), "ImportKeyPair": ("key-pair",),
    "RegisterImage": ("image",), "RunInstances": ("instance", "volume", "network-interface"), "CreateImageUsageReport": ("image-usage-report",),
    "CreateLaunchTemplate": ("launch-template",), "CreateVolume": ("volume",),
}
NAMED = {
    "InstanceId": "instance", "InstanceIds": "instance", "InstanceSpecification.InstanceId": "instance", "ImageId": "image", "SnapshotId": "snapshot",
    "GroupId": "security-group", "GroupIds": "security-group", "Groups": "security-group", "KeyName": "key-pair", "KeyPairId": "key-pair", "VolumeId": "volume",
    "NetworkInterfaceId": "network-interface", "LaunchTemplateId": "launch-template", "LaunchTemplateName": "launch-template", "VpcId": "vpc",
}
# Actions of EC2 without resource-level permissions although they do not begin with Describe.
NOWHERE = {"GetEbsDefaultKmsKeyId", "GetEbsEncryptionByDefault", "GetImageBlockPublicAccessState", "EnableEbsEncryptionByDefault", "DisableEbsEncryptionByDefault"}
# Actions that begin with Describe but have resource-level permissions.
LOOKS = {"DescribeImageAttribute", "DescribeInstanceAttribute", "DescribeSnapshotAttribute", "DescribeVolumeAttribute", "DescribeNetworkInterfaceAttribute"}
# Actions of EC2 with the caller's permissions for DescribeImageReferences (EC2 user guide, "Identify your resources
# referencing specified AMIs"); the caller is ec2-images.amazonaws.com.
REFERENCES = ("ec2:DescribeInstances", "ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions", "ssm:DescribeParameters", "ssm:GetParameters",
              "imagebuilder:ListImageRecipes", "imagebuilder:ListContainerRecipes", "imagebuilder:GetContainerRecipe")
# Actions of EBS on a customer managed key with the caller's permissions (EBS user guide, "Required permissions for
# encryption").
KEY_USE = ("kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:Decrypt")
# Calls that need no permission in the caller's policies (STS API reference).
FREE = {"sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity"}


class Question:
    """One action on one resource. `exists` is false for an ID without a resource: EC2 reports that before it checks
    permissions."""

    def __init__(self, action, resource, context, exists=True):
        self.action, self.resource, self.context, self.exists = action, resource, context, exists


def of(call):
    """All permissions that a call needs."""
    if f"{call.service}:{call.action}" in FREE:
        return []
    asks = Asking(call)
    work = {"ec2": asks.ec2, "iam": asks.iam, "ssm": asks.ssm, "autoscaling": asks.autoscaling, "sts": asks.sts}.get(call.service, asks.given)
    work()
    return asks.found


class Asking:
    def __init__(self, call):
        self.call, self.found = call, []
        self.launched_by = {}  # condition keys of a launch template, while its launch is checked
        self.partition = "aws-cn" if call.region.startswith("cn-") else "aws-us-gov" if call.region.startswith("us-gov-") else "aws"
        self.common = Context({"aws:RequestedRegion": call.region, "ec2:Region": call.region, "aws:PrincipalArn": call.principal, "aws:PrincipalAccount": call.account})

    def ask(self, action, resource, entries=(), exists=True):
        self.found.append(Question(action, resource, self.common.and_also({**self.launched_by, **dict(entries)}), exists))

    def given(self):
        """A call whose resource was already determined: S3, Image Builder."""
        self.ask(f"{self.call.service}:{self.call.action}", getattr(self.call, "resource", None) or "*")

    # EC2 ----------------------------------------------------------------------------------------------------

    def ec2(self):
        call, action = self.call, f"ec2:{self.call.action}"
        looks = call.action.startswith("Describe") and call.action not in LOOKS
        if looks or call.action in NOWHERE:
            self.ask(action, "*")
            if call.action == "DescribeImageReferences":
                for one in REFERENCES:
                    self.ask(one, "*", {"aws:CalledVia": ["ec2-images.amazonaws.com"]})
            return
        if call.action in ("CreateTags", "DeleteTags"):
            given = tags_of(call.values("Tags"))
            for identifier in call.values("Resources"):
                self.existing(action, kind_of(identifier), identifier, request_tags(given))
            return
        template = template_data(call, call.values("LaunchTemplate")) if call.action == "RunInstances" else None
        if template:
            self.launched_by = {"ec2:LaunchTemplate": self.arn("launch-template", template[0])}
        self.creations(action)
        uses = getattr(self, f"_{call.action}", self._named)
        uses(action)

    def creations(self, action):
        """The resources that the call creates, each with its requested tags; tagging is an action of its own."""
        call = self.call
        kinds = list(CREATES.get(call.action, ()))
        if call.action == "RunInstances" and call.values("InstanceMarketOptions.MarketType") == ["spot"]:
            kinds.append("spot-instances-request")
        specifications = [one for name in ("TagSpecifications", "TagSpecification") for one in call.values(name)]
        for kind in kinds:
            given = [tag for one in specifications if one.get("ResourceType") == kind for tag in listed(one.get("Tags") or [])]
            keys = request_tags(tags_of(given))
            name = call.values("KeyName")[0] if kind == "key-pair" and call.values("KeyName") else "*"
            where = self.arn(kind, name)
            self.ask(action, where, keys)
            if given:
                self.ask("ec2:CreateTags", where, {**keys, "ec2:CreateAction": call.action})
        known = set(kinds)
        for one in specifications:
            if one.get("ResourceType") not in known and one.get("Tags"):
                raise ValueError(f"{call.action} tags {one.get('ResourceType')}, which it does not make")

    def existing(self, action, kind, identifier, entries=(), region=None):
        """An existing resource with its tags."""
        region = region or self.call.region
        owner, there, tags = look_up(self.call, region, kind, identifier)
        keys = {f"{key}/{name}": value for key in ("aws:ResourceTag", "ec2:ResourceTag") for name, value in tags.items()}
        if owner:
            keys["ec2:Owner"] = owner
        name = there or identifier
        self.ask(action, self.arn(kind, name, region), {**keys, **dict(entries)}, exists=there is not None)

    def arn(self, kind, name, region=None):
        account = "" if kind in ("image", "snapshot") else self.call.account
        return f"arn:{self.partition}:ec2:{region or self.call.region}:{account}:{kind}/{name}"

    def _named(self, action):
        before = len(self.found)
        for name, kind in NAMED.items():
            for identifier in self.call.values(name):
                if self.call.action in ("ImportKeyPair", "CreateKeyPair") and name == "KeyName":
                    continue
                self.existing(action, kind, str(identifier))
        if self.call.action == "DeregisterImage" and str(self.call.parameters.get("DeleteAssociatedSnapshots", "")).lower() == "true":
            # EC2 user guide, "Deregister an AMI": deleting its snapshots, too, needs ec2:DeleteSnapshot.
            for snapshot in snapshots_of(self.call, self.call.values("ImageId")):
                self.existing("ec2:DeleteSnapshot", "snapshot", snapshot)
        if self.call.action == "ModifyNetworkInterfaceAttribute":
            for instance in attached(self.call, self.call.values("NetworkInterfaceId")):
                self.existing(action, "instance", instance)
        if len(self.found) == before and self.call.action not in CREATES:
            self.ask(action, "*")

    def _RunInstances(self, action):
        call = self.call
        backend = ec2_backends[call.account][call.region]
        template = template_data(call, call.values("LaunchTemplate"))
        if template is not None:
            self.existing(action, "launch-template", template[0])
        data = {**(template[1] if template else {}), **call.parameters}
        self.launch(action, data, backend)

    def launch(self, action, data, backend):
        """The resources that a launch uses: image, snapshots, key, subnet, groups, keys of disks, role."""
        images = listed(data.get("ImageId") or [])
        for image in images:
            self.existing(action, "image", image)
        for mapping in data.get("BlockDeviceMappings") or []:
            ebs = mapping.get("Ebs") or {}
            if ebs.get("SnapshotId"):
                self.existing(action, "snapshot", ebs["SnapshotId"])
            self.key(ebs.get("KmsKeyId"), self.call.region)
        if data.get("KeyName"):
            self.existing(action, "key-pair", data["KeyName"])
        interfaces = data.get("NetworkInterfaces") or []
        subnets = [data.get("SubnetId"), *(one.get("SubnetId") for one in interfaces)]
        default = next((subnet.id for subnet in backend.get_default_subnets().values()), "subnet-default") if not any(subnets) else None
        for subnet in [subnet for subnet in subnets if subnet] or [default]:
            self.existing(action, "subnet", subnet)
        groups = [*(data.get("SecurityGroupIds") or []), *(group for one in interfaces for group in one.get("Groups") or [])]
        for group in groups or [backend.get_default_security_group().id if backend.get_default_security_group() else "sg-default"]:
            self.existing(action, "security-group", group)
        profile = data.get("IamInstanceProfile") or {}
        self.pass_profile(profile)
        if call_is_spot(data):
            self.linked_role("spot.amazonaws.com", "AWSServiceRoleForEC2Spot")

    def _CreateImage(self, action):
        for instance in self.call.values("InstanceId"):
            self.existing(action, "instance", instance)

    def _CreateSnapshots(self, action):
        for instance in self.call.values("InstanceSpecification.InstanceId"):
            self.existing(action, "instance", instance)
            for volume in volumes_of(self.call, instance):
                self.existing(action, "volume", volume)

    def _RegisterImage(self, action):
        for snapshot in self.call.values("BlockDeviceMappings.Ebs.SnapshotId"):
            self.existing(action, "snapshot", snapshot)

    def _CopySnapshot(self, action):
        # Also the source (EBS user guide, "Copy an Amazon EBS snapshot", required permissions).
        source = (self.call.values("SourceRegion") or [self.call.region])[0]
        for snapshot in self.call.values("SourceSnapshotId"):
            self.existing(action, "snapshot", snapshot, region=source)
        self.copied_key()

    def _CopyImage(self, action):
        # Also the source (EC2 user guide, "Grant permissions to copy Amazon EC2 AMIs").
        source = (self.call.values("SourceRegion") or [self.call.region])[0]
        for image in self.call.values("SourceImageId"):
            self.existing(action, "image", image, region=source)
        self.copied_key()

    def copied_key(self):
        for key in self.call.values("KmsKeyId"):
            self.key(key, self.call.region)

    def key(self, key, region):
        """Actions of EBS on a customer managed key; the account's own `aws/ebs` needs no permission."""
        if not key or str(key).endswith("alias/aws/ebs"):
            return
        where, aliases = key_facts(self.call, str(key), region, self.partition)
        keys = {"kms:ViaService": f"ec2.{region}.amazonaws.com", "kms:CallerAccount": self.call.account, "kms:ResourceAliases": aliases}
        if not aliases:
            keys.pop("kms:ResourceAliases")
        for action in KEY_USE:
            self.ask(action, where, keys)
        self.ask("kms:CreateGrant", where, {**keys, "kms:GrantIsForAWSResource": "true"})

    # IAM ----------------------------------------------------------------------------------------------------

    def iam(self):
        call, action = self.call, f"iam:{self.call.action}"
        name = lambda key: (call.values(key) or [None])[0]  # noqa: E731
        path = name("Path") or "/"
        tags = request_tags(tags_of(call.values("Tags")))
        if call.action == "CreateRole":
            where = f"arn:{self.partition}:iam::{call.account}:role{path}{name('RoleName')}"
            self.ask(action, where, tags)
            if tags:
                self.ask("iam:TagRole", where, tags)
        elif call.action == "CreateInstanceProfile":
            where = f"arn:{self.partition}:iam::{call.account}:instance-profile{path}{name('InstanceProfileName')}"
            self.ask(action, where, tags)
            if tags:
                self.ask("iam:TagInstanceProfile", where, tags)
        elif call.action == "CreateServiceLinkedRole":
            service = name("AWSServiceName")
            self.ask(action, f"arn:{self.partition}:iam::{call.account}:role/aws-service-role/{service}/*", {"iam:AWSServiceName": service})
        elif name("InstanceProfileName"):
            self.ask(action, self.profile_arn(name("InstanceProfileName")), tags)
            if call.action == "AddRoleToInstanceProfile":
                # IAM API reference, AddRoleToInstanceProfile: "must be granted the PassRole permission on the IAM role".
                self.ask("iam:PassRole", self.role_arn(name("RoleName")), {"iam:PassedToService": self.ec2_service()})
        elif name("RoleName"):
            self.ask(action, self.role_arn(name("RoleName")), tags)
        else:
            self.ask(action, "*")

    def ec2_service(self):
        return "ec2.amazonaws.com.cn" if self.partition == "aws-cn" else "ec2.amazonaws.com"

    def role_arn(self, name):
        role = next((role for role in iam_backends[self.call.account][self.partition].roles.values() if role.name == name), None)
        return role.arn if role else f"arn:{self.partition}:iam::{self.call.account}:role/{name}"

    def profile_arn(self, name):
        profile = iam_backends[self.call.account][self.partition].instance_profiles.get(name)
        return profile.arn if profile else f"arn:{self.partition}:iam::{self.call.account}:instance-profile/{name}"

    def pass_profile(self, given):
        """A launch with a profile passes its role to EC2."""
        profiles = iam_backends[self.call.account][self.partition].instance_profiles.values()
        profile = next((one for one in profiles if one.name == given.get("Name") or one.arn == given.get("Arn")), None)
        for role in profile.roles if profile else []:
            self.ask("iam:PassRole", role.arn, {"iam:PassedToService": self.ec2_service()})

    def linked_role(self, service, name):
        """A service-linked role: the first request creates it, if the account has none (IAM user guide,
        "Service-linked roles")."""
        if any(role.name == name for role in iam_backends[self.call.account][self.partition].roles.values()):
            return
        self.ask("iam:CreateServiceLinkedRole", f"arn:{self.partition}:iam::{self.call.account}:role/aws-service-role/{service}/{name}",
                 {"iam:AWSServiceName": service})

    # Systems Manager, STS, Auto Scaling ---------------------------------------------------------------------

    def ssm(self):
        names = [str(name) for key in ("Name", "Names") for name in self.call.values(key)]
        for name in names:
            account = "" if name.startswith("/aws/") else self.call.account
            where = name if name.startswith("arn:") else f"arn:{self.partition}:ssm:{self.call.region}:{account}:parameter/{name.lstrip('/')}"
            given = request_tags(tags_of(self.call.values("Tags")))
            self.ask(f"ssm:{self.call.action}", where, given)
            if given and self.call.action == "PutParameter":
                # Systems Manager user guide, "Tagging parameters": tags at creation are an action of their own.
                self.ask("ssm:AddTagsToResource", where, given)
        if not names:
            self.ask(f"ssm:{self.call.action}", "*")

    def sts(self):
        self.ask(f"sts:{self.call.action}", (self.call.values("RoleArn") or ["*"])[0])

    def autoscaling(self):
        call, action = self.call, f"autoscaling:{self.call.action}"
        if call.action.startswith("Describe"):
            self.ask(action, "*")
            return
        names = {str(name) for key in ("AutoScalingGroupName", "Tags.ResourceId") for name in call.values(key)}
        groups = autoscaling_backends[call.account][call.region].autoscaling_groups
        for name in sorted(names) or ["*"]:
            where = f"arn:{self.partition}:autoscaling:{call.region}:{call.account}:autoScalingGroup:00000000-0000-4000-8000-000000000000:autoScalingGroupName/{name}"
            self.ask(action, where, {"aws:ResourceTag/" + tag["Key"]: tag.get("Value", "") for tag in getattr(groups.get(name), "tags", None) or []})
        if call.action in ("CreateAutoScalingGroup", "UpdateAutoScalingGroup", "StartInstanceRefresh"):
            self.template_launch()
        for role in call.values("LifecycleHookSpecificationList.RoleARN") + (call.values("RoleARN") if call.action == "PutLifecycleHook" else []):
            # The hook's notifications are sent with this role (Auto Scaling user guide, "Prepare to add a lifecycle
            # hook").
            self.ask("iam:PassRole", role, {"iam:PassedToService": "autoscaling.amazonaws.com"})
        if call.action == "CreateAutoScalingGroup":
            self.linked_role("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling")
        if call.action == "PutScalingPolicy" and call.values("PolicyType") == ["TargetTrackingScaling"]:
            self.ask("cloudwatch:PutMetricAlarm", f"arn:{self.partition}:cloudwatch:{call.region}:{call.account}:alarm:TargetTracking-*")

    def template_launch(self):
        """A call that names a launch template needs the permissions to launch it: RunInstances, CreateTags for its
        tags, PassRole for its profile (Auto Scaling user guide, "IAM: Amazon EC2 launch template support")."""
        call = self.call
        found = {}
        for path in ("LaunchTemplate", "DesiredConfiguration.LaunchTemplate", "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification",
                     "DesiredConfiguration.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification",
                     "MixedInstancesPolicy.LaunchTemplate.Overrides.LaunchTemplateSpecification",
                     "DesiredConfiguration.MixedInstancesPolicy.LaunchTemplate.Overrides.LaunchTemplateSpecification"):
            for given in call.values(path):
                data = template_data(call, [given])
                if data is not None:
                    found[(data[0], str(given.get("Version")))] = data
        backend = ec2_backends[call.account][call.region]
        for identifier, data in found.values():
            self.launched_by = {"ec2:LaunchTemplate": self.arn("launch-template", identifier)}
            self.existing("ec2:RunInstances", "launch-template", identifier)
            for kind in ("instance", "volume", "network-interface"):
                self.ask("ec2:RunInstances", self.arn(kind, "*"))
            for one in data.get("TagSpecifications") or []:
                given = tags_of(listed(one.get("Tags") or []))
                if given:
                    self.ask("ec2:CreateTags", self.arn(one["ResourceType"], "*"), {**request_tags(given), "ec2:CreateAction": "RunInstances"})
            self.launch("ec2:RunInstances", {name: value for name, value in data.items() if name != "InstanceMarketOptions"}, backend)
        self.launched_by = {}
