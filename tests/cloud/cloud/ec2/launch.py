"""RunInstances: refusals, client tokens, the volumes of an instance, and the boot of its machine."""
import base64
import hashlib
import json

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_block_store import Volume
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance
from moto.ec2.utils import filter_dict_attribute_mapping, random_spot_request_id, random_volume_id
from moto.iam.models import iam_backends

from .. import faults, userdata
from ..wire import Refusal

USER_DATA_BYTES = 16 * 1024


class Launch:
    def __init__(self, cloud):
        self.cloud = cloud
        self._tokens = {}  # (account, region, token) → (digest, reservation)

    def install(self, response_class):
        launch = self
        moto_handler = response_class.run_instances
        moto_run = EC2Backend.run_instances

        def handler(response):
            return launch.run(response, moto_handler)

        def run(backend, image_id, count, data, security_group_names, **kwargs):
            return launch.create(backend, moto_run, image_id, count, data, security_group_names, kwargs)

        # Moto lacks this filter, which finds the machine of a lost answer.
        filter_dict_attribute_mapping["client-token"] = "client_token"
        response_class.run_instances = handler
        EC2Backend.run_instances = run
        # Volumes are created from the image's mapping, below; moto's parsing of the mapping drops speed and throughput.
        response_class._parse_block_device_mapping = lambda response: []
        Instance.setup_defaults = lambda instance: None
        Instance.add_block_device = lambda instance, *arguments, **options: None

    def run(self, response, moto_handler):
        call = self.cloud.current
        template = self._template(response)
        parameters = {**template, **{name: value for name, value in call.parameters.items() if name != "LaunchTemplate"}}
        self._check(response, parameters)
        token = call.parameters.get("ClientToken")
        key = (call.account, call.region, token)
        digest = hashlib.sha256(json.dumps({name: value for name, value in call.parameters.items() if name not in ("ClientToken", "DryRun")},
                                           sort_keys=True, default=str).encode()).hexdigest()
        if token and key in self._tokens:
            before, reservation = self._tokens[key]
            if before != digest:
                raise Refusal("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
            return ActionResult(reservation)
        response.error_on_dryrun()
        answer = moto_handler(response)
        if token:
            self._tokens[key] = (digest, answer.result)
        return answer

    def _template(self, response):
        given = response._get_param("LaunchTemplate")
        if not given:
            return {}
        return response.ec2_backend._get_template_from_args(given).data

    def _check(self, response, parameters):
        backend = response.ec2_backend
        if int(parameters.get("MinCount", 1)) > int(parameters.get("MaxCount", 1)):
            raise Refusal("InvalidParameterCombination", "MinCount is greater than MaxCount")
        if not parameters.get("ImageId"):
            raise Refusal("MissingParameter", "The request must contain the parameter ImageId")
        image = self.cloud.images.usable(backend, parameters["ImageId"])
        kind = parameters.get("InstanceType", "m1.small")
        facts = INSTANCE_TYPES.get(kind)
        if not facts:
            raise Refusal("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
        check_architecture(image, kind, facts)
        name = parameters.get("KeyName")
        if name and name not in backend.key_pairs:
            raise Refusal("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
        data = parameters.get("UserData")
        if data and len(decode_user_data(data)) > USER_DATA_BYTES:
            raise Refusal("InvalidParameterValue", "User data is limited to 16384 bytes")
        for group in [*(parameters.get("SecurityGroupIds") or []), *(g for nic in parameters.get("NetworkInterfaces") or [] for g in nic.get("Groups") or [])]:
            if backend.get_security_group_from_id(group) is None:
                raise Refusal("InvalidGroup.NotFound", f"The security group '{group}' does not exist")
        self._check_profile(response, parameters.get("IamInstanceProfile") or {})
        for mapping in self.mappings(image, parameters.get("BlockDeviceMappings")):
            check_volume(self.cloud, mapping, mapping["DeviceName"] == image.root_device_name)
        market = parameters.get("InstanceMarketOptions") or {}
        behaviour = (market.get("SpotOptions") or {}).get("InstanceInterruptionBehavior")
        if market and behaviour in ("stop", "hibernate") and (market.get("SpotOptions") or {}).get("SpotInstanceType") != "persistent":
            raise Refusal("InvalidParameterCombination", f"The interruption behavior '{behaviour}' is only valid for persistent Spot Instance requests.")

    def _check_profile(self, response, given):
        """Refuses a new instance profile, which EC2 does not see for some seconds."""
        if not (given.get("Name") or given.get("Arn")):
            return
        kind, value = ("name", given["Name"]) if given.get("Name") else ("arn", given.get("Arn"))
        profiles = iam_backends[response.current_account][response.partition].instance_profiles.values()
        profile = next((entry for entry in profiles if value in (entry.name, entry.arn)), None)
        age = (utcnow() - profile.create_date).total_seconds() if profile else 0
        if profile is None or age < self.cloud.latency.of("iam_instance_profile_usable"):
            raise Refusal("InvalidParameterValue", f"Value ({value}) for parameter iamInstanceProfile.{kind} is invalid. Invalid IAM Instance Profile {'name' if kind == 'name' else 'ARN'}")

    @staticmethod
    def mappings(image, overrides):
        """The image's mapping with the launch's changes, by device name."""
        merged = {entry["DeviceName"]: {"DeviceName": entry["DeviceName"], "Ebs": dict(entry["Ebs"])} for entry in image.block_device_mappings if entry.get("Ebs")}
        for override in overrides or []:
            name = override["DeviceName"]
            if override.get("NoDevice") is not None:
                merged.pop(name, None)
                continue
            if not override.get("Ebs"):
                continue
            entry = merged.setdefault(name, {"DeviceName": name, "Ebs": {}})
            entry["Ebs"].update({key: value for key, value in override["Ebs"].items() if value is not None})
        return list(merged.values())

    def create(self, backend, moto_run, image_id, count, data, security_group_names, kwargs):
        """Launches instances, for RunInstances, Auto Scaling, fleets and spot requests."""
        call = self.cloud.current
        overrides = kwargs.pop("block_device_mappings", None)
        template = backend._get_template_from_args(kwargs["launch_template"]).data if kwargs.get("launch_template") else {}
        if call and call.action == "RunInstances":
            overrides = call.parameters.get("BlockDeviceMappings")
        overrides = overrides or template.get("BlockDeviceMappings")
        image_id = image_id or template.get("ImageId")
        image = self.cloud.images.usable(backend, image_id)
        data = data or template.get("UserData")
        market = (call.parameters.get("InstanceMarketOptions") if call else None) or {}
        if call and call.action == "RunInstances":
            # Moto launches the minimum count, EC2 the maximum that is possible.
            count = int(call.parameters.get("MaxCount") or count)
        reservation = moto_run(backend, image_id, count, data, security_group_names, **kwargs)
        for instance in reservation.instances:
            self._finish(backend, instance, image, overrides, data, market, kwargs.get("tags", {}))
        return reservation

    def _finish(self, backend, instance, image, overrides, data, market, tags):
        self._describe(instance, image, market)
        call = self.cloud.current
        if image.shutdown_behaviour and not (call and call.parameters.get("InstanceInitiatedShutdownBehavior")):
            # What an AMI may carry; bench/aws-account asks whether it does.
            instance.instance_initiated_shutdown_behavior = image.shutdown_behaviour
        # EC2 user guide, "Amazon EC2 instance IP addressing": the launch's own setting, else the subnet's.
        interfaces = (call.parameters.get("NetworkInterfaces") if call and call.action == "RunInstances" else None) or [{}]
        wanted = interfaces[0].get("AssociatePublicIpAddress")
        subnet = instance.nics[0].subnet
        instance.public_address = str(getattr(subnet, "map_public_ip_on_launch", True) if wanted is None else wanted).lower() == "true"
        root = self._volumes(backend, instance, image, overrides, tags.get("volume", {}))
        for nic in instance.nics.values():
            if not nic.description or nic.description == "Primary network interface":
                nic.delete_on_termination = True
            if tags.get("network-interface"):
                nic.add_tags(tags["network-interface"])
        if not instance.security_groups:
            instance.security_groups = list(instance.nics[0]._group_set)
        keys = []
        if instance.key_name in backend.key_pairs:
            material = backend.key_pairs[instance.key_name].material_public
            text = (material.decode() if isinstance(material, bytes) else str(material)).strip()
            fields = text.split()
            keys.append(text if len(fields) > 2 else f"{text} {instance.key_name}")
        call = self.cloud.current
        instance.client_token = (call.parameters.get("ClientToken") if call else None) or ""
        found = self.cloud.faults.take_all(call, faults.MACHINE_KINDS) if call else {}
        doom = found.pop("pending-to-terminated", None)
        if doom is not None:
            doom = doom.options.get("state_reason") or {"code": "Server.InternalError", "message": "Server.InternalError: Internal error on launch"}
            doom.setdefault("message", doom["code"])
        settings = {
            "user": root.content.user,
            "authorized_keys": keys,
            "user_data": str(data or ""),
            "plan": userdata.parse(decode_user_data(data) if data else b""),
            "faults": {kind.replace("-", "_"): rule.options.get("seconds", True) for kind, rule in found.items()},
        }
        self.cloud.lifecycle.launch(instance, root, settings, doom, self.cloud.faults.hold(call))
        if "drop-ssh" in found:
            found["drop-ssh"].when_deleted(self.cloud.machines[instance.id].drop_ssh)
        image.launched()

    @staticmethod
    def _describe(instance, image, market):
        instance.architecture, instance.virtualization_type = image.architecture, image.virtualization_type
        instance.root_device_name = image.root_device_name
        instance.platform, instance.platform_details, instance.usage_operation = image.platform, image.platform_details, image.usage_operation
        instance.product_codes, instance.ena_support, instance.boot_mode = image.product_codes, image.ena_support, image.boot_mode
        instance.current_instance_boot_mode = "legacy-bios" if image.boot_mode == "legacy-bios" else "uefi"
        instance.tpm_support = image.tpm_support
        if image.imds_support == "v2.0":
            instance.metadata_options.http_tokens = "required"
        if (market or {}).get("MarketType") == "spot":
            instance.lifecycle = "spot"
            instance.spot_instance_request_id = random_spot_request_id()
            instance.one_time_spot = (market.get("SpotOptions") or {}).get("SpotInstanceType", "one-time") != "persistent"

    def _volumes(self, backend, instance, image, overrides, tags):
        root = None
        for mapping in self.mappings(image, overrides):
            ebs = mapping["Ebs"]
            snapshot_id = ebs.get("SnapshotId")
            size = int(ebs.get("VolumeSize") or self.cloud.snapshots.size(snapshot_id))
            kind = ebs.get("VolumeType") or "gp2"
            volume = Volume(backend, random_volume_id(), size, backend.get_zone_by_name(instance.placement.zone), snapshot_id=snapshot_id,
                            encrypted=bool(ebs.get("Encrypted")), kms_key_id=ebs.get("KmsKeyId"), volume_type=kind,
                            iops=int(ebs.get("Iops") or 3000) if kind in ("gp3", "io1", "io2") else None,
                            throughput=int(ebs.get("Throughput") or 125) if kind == "gp3" else None)
            backend.volumes[volume.id] = volume
            # The image's root volume is deleted with the instance, other volumes too unless the mapping keeps them.
            keep = ebs.get("DeleteOnTermination")
            backend.attach_volume(volume.id, instance.id, mapping["DeviceName"], True if keep is None else bool(keep))
            volume.add_tags(tags)
            disk = self.cloud.disk_of(snapshot_id, size)
            self.cloud.disks[volume.id] = disk
            if mapping["DeviceName"] == image.root_device_name:
                root = disk
        if root is None:
            raise Refusal("InvalidBlockDeviceMapping", f"The root device {image.root_device_name} has no volume")
        return root


def decode_user_data(data):
    text = str(data)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refusal("InvalidParameterValue", "Invalid BASE64 encoding of user data.") from error


def check_architecture(image, kind, facts):
    supported = facts.get("ProcessorInfo", {}).get("SupportedArchitectures", ["x86_64"])
    if image.architecture not in supported:
        raise Refusal("InvalidParameterValue", f"The architecture '{','.join(supported)}' of the specified instance type does not match the architecture '{image.architecture}' of the specified AMI. "
                      "Specify an instance type and an AMI that have matching architectures, and try again.")
    if facts.get("Hypervisor") == "xen":
        return
    if image.virtualization_type != "hvm":
        raise Refusal("InvalidParameterCombination", f"Non-Windows instances with a virtualization type of '{image.virtualization_type}' are currently not supported for this instance type.")
    if not image.ena_support:
        raise Refusal("InvalidParameterCombination", f"Enhanced networking with the Elastic Network Adapter (ENA) is required for the '{kind}' instance type. Ensure that you are using an AMI that is enabled for ENA.")


def check_volume(cloud, mapping, root):
    from .limits import volume
    ebs = mapping["Ebs"]
    snapshot_id = ebs.get("SnapshotId")
    if snapshot_id:
        least = cloud.snapshots.size(snapshot_id)
        if ebs.get("VolumeSize") and int(ebs["VolumeSize"]) < least:
            raise Refusal("InvalidBlockDeviceMapping",
                          f"Volume of size {ebs['VolumeSize']}GB is smaller than snapshot '{snapshot_id}', expect size >= {least}GB")
        ebs = {"VolumeSize": least, **{name: value for name, value in ebs.items() if value is not None}}
    elif not ebs.get("VolumeSize"):
        raise Refusal("InvalidBlockDeviceMapping", f"The block device mapping {mapping['DeviceName']} needs a size or a snapshot")
    volume(ebs, root)
