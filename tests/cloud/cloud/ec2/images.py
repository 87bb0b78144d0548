"""AMIs: registered from snapshots that hold files, created from instances, copied, described, shared, deregistered."""
import datetime

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instances import StateReason
from moto.ec2.utils import generic_filter

from ..wire import Refusal
from .image import Image
from .snapshots import Source, tags_of

ATTRIBUTES = {
    "description": "Description", "kernel": "KernelId", "ramdisk": "RamdiskId", "launchPermission": "LaunchPermissions", "productCodes": "ProductCodes",
    "blockDeviceMapping": "BlockDeviceMappings", "sriovNetSupport": "SriovNetSupport", "bootMode": "BootMode", "tpmSupport": "TpmSupport",
    "uefiData": "UefiData", "lastLaunchedTime": "LastLaunchedTime", "imdsSupport": "ImdsSupport", "deregistrationProtection": "DeregistrationProtection",
}
AWS_KEY = "alias/aws/ebs"
HANDLERS = ("register_image", "create_image", "copy_image", "deregister_image", "describe_images", "describe_image_attribute",
            "modify_image_attribute", "enable_image_deprecation", "disable_image_deprecation",
            "enable_image_deregistration_protection", "disable_image_deregistration_protection", "get_image_block_public_access_state",
            "enable_image_block_public_access", "disable_image_block_public_access", "get_ebs_default_kms_key_id", "modify_ebs_default_kms_key_id")


class Images:
    def __init__(self, cloud):
        self.cloud = cloud
        self._blocks_public = {}  # account, region → state of block public access
        self._default_keys = {}  # account, region → default key for volumes
        self._building = {}  # instance ID → images that CreateImage is still creating from it
        self._copies = {}  # account, region, client token → image created by CopyImage

    def install(self, response_class):
        for name in HANDLERS:
            setattr(response_class, name, self._handler(name))
        images = self
        EC2Backend.describe_images = lambda backend, ami_ids=None, filters=None, exec_users=None, owners=None: images.describe(backend, ami_ids, filters, exec_users, owners)

    def _handler(self, name):
        work = getattr(self, name)
        return lambda response: work(response)

    # finding ------------------------------------------------------------------------------------------------

    def visible(self, backend):
        """All images that are visible to this account in this region."""
        for regions in list(ec2_backends.values()):
            if backend.region_name in regions:
                for image in list(regions[backend.region_name].amis.values()):
                    if image.visible_to(backend.account_id):
                        yield image.seen_by(backend)

    def get(self, backend, image_id):
        if not str(image_id).startswith("ami-"):
            raise Refusal("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
        for image in self.visible(backend):
            if image.id == image_id:
                return image
        code = "InvalidAMIID.Unavailable" if image_id in backend.deleted_amis else "InvalidAMIID.NotFound"
        raise Refusal(code, f"The image id '[{image_id}]' {'is no longer available' if code.endswith('Unavailable') else 'does not exist'}")

    def usable(self, backend, image_id):
        """The image for a launch, or a refusal."""
        image = self.get(backend, image_id)
        if image.state != "available":
            raise Refusal("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available: its state is {image.state}")
        return image

    def own(self, backend, image_id):
        image = self.get(backend, image_id)
        if image.owner_id != backend.account_id:
            raise Refusal("AuthFailure", f"Not authorized for image:{image_id}")
        return image

    @staticmethod
    def using(backend, snapshot_id):
        return next((image for image in backend.amis.values() if snapshot_id in image.snapshot_ids), None)

    @staticmethod
    def public_snapshot(region, snapshot_id):
        return any(image.public and snapshot_id in image.snapshot_ids for regions in list(ec2_backends.values()) if region in regions for image in regions[region].amis.values())

    def describe(self, backend, ami_ids=None, filters=None, exec_users=None, owners=None):
        if ami_ids:
            images = [self.get(backend, image_id) for image_id in ami_ids]
        else:
            images = list(self.visible(backend))
        if owners:
            wanted = {backend.account_id if owner == "self" else owner for owner in owners}
            images = [image for image in images if image.owner_id in wanted or image.image_owner_alias in wanted]
        if exec_users:
            users = {backend.account_id if user == "self" else user for user in exec_users}
            images = [image for image in images if ("all" in users and image.public) or any(p.get("UserId") in users for p in image.launch_permissions)]
        return generic_filter(filters, images) if filters else images

    def describe_images(self, response):
        response.error_on_dryrun()
        images = self.describe(response.ec2_backend, response._get_param("ImageIds", []), response._filters_from_querystring(),
                               response._get_param("ExecutableUsers", []), response._get_param("Owners", []))
        if not response._get_param("IncludeDeprecated"):
            now = datetime.datetime.now(datetime.timezone.utc)
            images = [i for i in images if i.owner_id == response.current_account or not i.deprecation_time or parse_time(i.deprecation_time) > now]
        start, page = int(response._get_param("NextToken") or 0), response._get_param("MaxResults")
        chosen = images[start:start + int(page)] if page else images[start:]
        more = str(start + int(page)) if page and start + int(page) < len(images) else None
        return ActionResult({"Images": chosen, "NextToken": more})

    # making -------------------------------------------------------------------------------------------------

    @staticmethod
    def _free_name(backend, name):
        taken = next((image for image in backend.amis.values() if image.name == name and image.state != "failed"), None)
        if taken:
            raise Refusal("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {taken.id}")

    def _add(self, backend, image, tags, seconds):
        backend.amis[image.id] = image
        image.add_tags(tags)
        call = self.cloud.current
        rule = self.cloud.faults.take(call, {"image-failed"}) if call else None
        self.cloud.timeline.after(seconds, self._finish, image, rule.options if rule else None, hold=self.cloud.faults.hold(call))
        return ActionResult({"ImageId": image.id})

    def _finish(self, image, failure):
        with self.cloud.lock:
            if image.state != "pending":
                return
            if failure is not None:
                reason = failure.get("state_reason") or {}
                code = reason.get("code", "Server.InternalError")
                image.state, image.state_reason = "failed", StateReason(reason.get("message", code), code)
            else:
                image.state = "available"
            self._building.get(image.source_instance_id, set()).discard(image)

    def register_image(self, response):
        backend, get = response.ec2_backend, response._get_param
        name, root = get("Name"), get("RootDeviceName")
        self._free_name(backend, name)
        mappings = []
        for entry in get("BlockDeviceMappings", []) or []:
            if entry.get("NoDevice") is not None:
                continue
            mappings.append(self._mapping(backend, entry))
        if not root or not any(entry["DeviceName"] == root and entry["Ebs"].get("SnapshotId") for entry in mappings):
            raise Refusal("InvalidBlockDeviceMapping", f"The root device name '{root}' is not in the block device mapping with a snapshot")
        boot_mode, tpm, imds = get("BootMode"), get("TpmSupport"), get("ImdsSupport")
        if get("Architecture") == "arm64":
            # Graviton types boot UEFI alone (EC2 user guide, "Instance type requirements for UEFI boot mode"); whether EC2 says
            # so of an image that was registered without is asked by bench/aws-account.
            if boot_mode == "legacy-bios":
                raise Refusal("InvalidParameterCombination", "The boot mode legacy-bios is not supported for the architecture arm64.")
            boot_mode = boot_mode or "uefi"
        if tpm and (tpm != "v2.0" or boot_mode not in ("uefi", "uefi-preferred")):
            raise Refusal("InvalidParameterCombination", "TpmSupport v2.0 needs boot mode uefi or uefi-preferred")
        if imds and imds != "v2.0":
            raise Refusal("InvalidParameterValue", f"Value ({imds}) for parameter imdsSupport is invalid.")
        if get("BillingProducts"):
            raise Refusal("AuthFailure", "The account is not authorized to register images with billing products")
        response.error_on_dryrun()
        image = Image(backend, name, description=get("Description"), architecture=get("Architecture", "i386"),
                      virtualization_type=get("VirtualizationType", "paravirtual"), root_device_name=root, ena_support=bool(get("EnaSupport")),
                      sriov_net_support=get("SriovNetSupport"), boot_mode=boot_mode, tpm_support=tpm, imds_support=imds, uefi_data=get("UefiData"),
                      block_device_mappings=mappings)
        return self._add(backend, image, tags_of(response, "image"), self.cloud.latency.of("register_image_to_available"))

    def _mapping(self, backend, entry):
        if entry.get("VirtualName"):
            return {"DeviceName": entry["DeviceName"], "VirtualName": entry["VirtualName"]}
        ebs = {key: value for key, value in entry["Ebs"].items() if value is not None}
        snapshot_id = ebs.get("SnapshotId")
        # EC2 API reference, EbsBlockDevice: a key is only supported of RunInstances and spot requests; "If you are creating a
        # block device mapping from an existing … snapshot, you must omit" Encrypted.
        if ebs.get("KmsKeyId"):
            raise Refusal("InvalidParameterCombination", "The parameter KmsKeyId is not recognized for images.")
        if snapshot_id and ebs.get("Encrypted") is not None:
            raise Refusal("InvalidBlockDeviceMapping", "the encrypted flag cannot be specified since device has a snapshot specified")
        if not snapshot_id and not ebs.get("VolumeSize"):
            raise Refusal("InvalidBlockDeviceMapping", f"The block device mapping {entry['DeviceName']} needs a size or a snapshot")
        if not snapshot_id:
            ebs["Encrypted"] = str(ebs.get("Encrypted", "false")).lower() == "true"
            ebs["VolumeSize"] = int(ebs["VolumeSize"])
        if snapshot_id:
            snapshot = self.cloud.snapshots.find(backend.account_id, backend.region_name, snapshot_id)
            if snapshot is not None and snapshot.status != "completed":
                raise Refusal("InvalidSnapshot.InUse" if snapshot.status == "error" else "IncorrectState", f"Snapshot {snapshot_id} is not completed: {snapshot.status}")
            size = self.cloud.snapshots.size(snapshot_id)
            if int(ebs.get("VolumeSize") or size) < size:
                raise Refusal("InvalidBlockDeviceMapping", f"Volume of size {ebs['VolumeSize']}GB is smaller than snapshot '{snapshot_id}', expect size >= {size}GB")
            ebs.setdefault("VolumeSize", size)
            ebs["Encrypted"] = bool(snapshot is not None and snapshot.encrypted)
        ebs.setdefault("VolumeType", "gp2")
        ebs.setdefault("DeleteOnTermination", True)
        if ebs["VolumeType"] == "gp3":
            ebs.setdefault("Iops", 3000)
            ebs.setdefault("Throughput", 125)
        return {"DeviceName": entry["DeviceName"], "Ebs": ebs}

    def create_image(self, response):
        backend, get = response.ec2_backend, response._get_param
        name, instance = get("Name"), backend.get_instance(get("InstanceId"))
        self._free_name(backend, name)
        if instance.state not in ("running", "stopping", "stopped"):
            raise Refusal("IncorrectState", f"The instance '{instance.id}' is not in a state from which an image can be created: {instance.state}")
        response.error_on_dryrun()
        source = self.cloud.images.visible_source(backend, instance.image_id)
        machine = self.cloud.machines[instance.id]
        description, tags = get("Description"), tags_of(response, "snapshot")
        left_out, kept, added = self._changes(backend, instance, get("BlockDeviceMappings", []) or [])
        volumes = [(device, backend.get_volume(block.volume_id), block.delete_on_termination) for device, block in instance.get_block_device_mapping if device not in left_out]
        seconds = max(self.cloud.snapshots.seconds(backend, volume) for _, volume, _ in volumes)
        image = Image(backend, name, shutdown_behaviour=instance.instance_initiated_shutdown_behavior, description=description, architecture=instance.architecture, virtualization_type=instance.virtualization_type,
                      root_device_name=instance.root_device_name, ena_support=instance.ena_support, sriov_net_support="simple", boot_mode=instance.boot_mode,
                      tpm_support=instance.tpm_support, platform_details=instance.platform_details, usage_operation=instance.usage_operation,
                      product_codes=instance.product_codes, source_instance_id=instance.id, source_image_id=instance.image_id,
                      source_image_region=backend.region_name, imds_support=source.imds_support if source else None)

        def take():
            for device, volume, drops in volumes:
                snapshot = self.cloud.snapshots.take(backend, volume, f"Created by CreateImage({instance.id}) for {image.id}", tags, not machine.alive, seconds * 0.95)
                ebs = {"SnapshotId": snapshot.id, "VolumeSize": volume.size, "VolumeType": volume.volume_type, "DeleteOnTermination": kept.get(device, drops), "Encrypted": volume.encrypted}
                if volume.volume_type == "gp3":
                    ebs.update(Iops=volume.iops, Throughput=volume.throughput)
                image.block_device_mappings.append({"DeviceName": device, "Ebs": ebs})
            image.block_device_mappings.extend(added)

        if instance.state == "running" and machine.alive and not get("NoReboot"):
            machine.after_down.append(take)
            machine.press("reboot")
        else:
            take()
        self._building.setdefault(instance.id, set()).add(image)
        return self._add(backend, image, tags_of(response, "image"), seconds)

    def _changes(self, backend, instance, mappings):
        """What CreateImage changes of an instance's disks: devices that are left out, whether volumes are deleted with
        instances, and devices that are added. Of an existing disk "the only option that can be changed … is
        DeleteOnTermination" (EC2 API reference, CreateImage, BlockDeviceMappings)."""
        left_out, kept, added = set(), {}, []
        existing = {device for device, _ in instance.get_block_device_mapping}
        for mapping in mappings:
            device, ebs = mapping.get("DeviceName"), {key: value for key, value in (mapping.get("Ebs") or {}).items() if value is not None}
            if "NoDevice" in mapping:
                left_out.add(device)
            elif device in existing:
                if set(ebs) - {"DeleteOnTermination"}:
                    raise Refusal("InvalidBlockDeviceMapping", f"The settings {sorted(set(ebs) - {'DeleteOnTermination'})} of the existing device {device} can't be changed")
                kept[device] = str(ebs.get("DeleteOnTermination")).lower() == "true"
            else:
                added.append(self._mapping(backend, mapping))
        return left_out, kept, added

    def visible_source(self, backend, image_id):
        return next((image for image in self.visible(backend) if image.id == image_id), None)

    def instance_gone(self, instance_id):
        """EC2 fails an image whose instance is terminated before its snapshots are complete."""
        for image in self._building.pop(instance_id, set()):
            if image.state == "pending":
                image.state = "failed"
                image.state_reason = StateReason("Client.InstanceTerminated: The instance was terminated before the image was complete", "Client.InstanceTerminated")

    def copy_image(self, response):
        backend, get = response.ec2_backend, response._get_param
        key = (response.current_account, response.region, get("ClientToken"))
        if key in self._copies:
            return ActionResult({"ImageId": self._copies[key]})
        there = ec2_backends[backend.account_id][get("SourceRegion")]
        source = self.get(there, get("SourceImageId"))
        if source.state != "available":
            raise Refusal("InvalidAMIID.Unavailable", f"The image ID '{source.id}' is not available: its state is {source.state}")
        self._free_name(backend, get("Name"))
        for snapshot_id in source.snapshot_ids:
            # An image that is shared without its snapshots can be launched, but not copied.
            self.cloud.snapshots.find(backend.account_id, there.region_name, snapshot_id)
        response.error_on_dryrun()
        known = source.owner_id == backend.account_id and any(self.cloud.snapshots.has_parent(backend, snapshot_id) for snapshot_id in source.snapshot_ids)
        self.cloud.snapshots.room_for_copies(backend, source.snapshot_ids)
        seconds = self.cloud.latency.of("copy_image_incremental" if known else "copy_image")
        mappings = []
        image = Image(backend, get("Name"), description=get("Description") or source.description, architecture=source.architecture,
                      virtualization_type=source.virtualization_type, root_device_name=source.root_device_name, ena_support=source.ena_support,
                      sriov_net_support=source.sriov_net_support, boot_mode=source.boot_mode, tpm_support=source.tpm_support, imds_support=source.imds_support,
                      uefi_data=source.uefi_data, platform_details=source.platform_details, usage_operation=source.usage_operation,
                      product_codes=source.product_codes, source_image_id=source.id, source_image_region=there.region_name, block_device_mappings=mappings)
        encrypted, tags = bool(get("Encrypted")), tags_of(response, "snapshot")
        for entry in source.block_device_mappings:
            if not entry.get("Ebs"):
                mappings.append(dict(entry))
                continue
            ebs = dict(entry["Ebs"])
            if ebs.get("SnapshotId"):
                snapshot = self.cloud.snapshots.add(backend, self.cloud.contents[ebs["SnapshotId"]], Source("vol-ffffffff", self.cloud.snapshots.size(ebs["SnapshotId"])),
                                                     f"Copied for DestinationAmi {image.id} from SourceAmi {source.id} for SourceSnapshot {ebs['SnapshotId']}.",
                                                     tags, seconds * 0.95, encrypted or bool(ebs.get("Encrypted")), get("KmsKeyId"))
                snapshot.copied = True
                ebs.update(SnapshotId=snapshot.id, Encrypted=snapshot.encrypted)
            mappings.append({"DeviceName": entry["DeviceName"], "Ebs": ebs})
        image_tags = tags_of(response, "image")
        if get("CopyImageTags") and source.owner_id == backend.account_id:
            image_tags = {**{tag["key"]: tag["value"] for tag in source.get_tags()}, **image_tags}
        if get("ClientToken"):
            self._copies[key] = image.id
        return self._add(backend, image, image_tags, seconds)

    # changing -----------------------------------------------------------------------------------------------

    def deregister_image(self, response):
        backend = response.ec2_backend
        image = self.own(backend, response._get_param("ImageId"))
        if image.deregistration_protection != "disabled":
            raise Refusal("OperationNotPermitted", f"The image '{image.id}' is protected from deregistration.")
        response.error_on_dryrun()
        backend.amis.pop(image.id)
        backend.deleted_amis.append(image.id)
        backend.tags.pop(image.id, None)
        result = {"Return": True}
        if response._get_param("DeleteAssociatedSnapshots"):
            result["DeleteSnapshotResults"] = [{"SnapshotId": snapshot_id, "ReturnCode": self._delete_with_image(backend, snapshot_id)} for snapshot_id in image.snapshot_ids]
        return ActionResult(result)

    def _delete_with_image(self, backend, snapshot_id):
        if self.using(backend, snapshot_id):
            return "skipped"
        if snapshot_id not in backend.snapshots:
            return "client-error"
        self.cloud.snapshots.remove(backend, snapshot_id)
        return "success"

    def describe_image_attribute(self, response):
        name = response._get_param("Attribute")
        if name not in ATTRIBUTES:
            raise Refusal("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid. Unknown attribute.")
        image = self.own(response.ec2_backend, response._get_param("ImageId"))
        result = {"ImageId": image.id}
        if name == "launchPermission":
            result["LaunchPermissions"] = image.launch_permissions
        elif name == "productCodes":
            result["ProductCodes"] = image.product_codes
        elif name == "blockDeviceMapping":
            raise Refusal("AuthFailure", "Unauthorized attempt to access restricted resource")
        else:
            value = {"kernel": image.kernel_id, "ramdisk": image.ramdisk_id, "sriovNetSupport": image.sriov_net_support, "bootMode": image.boot_mode,
                     "tpmSupport": image.tpm_support, "uefiData": image.uefi_data, "imdsSupport": image.imds_support, "description": image.description,
                     "lastLaunchedTime": image.last_launched_time, "deregistrationProtection": image.deregistration_protection}[name]
            result[ATTRIBUTES[name]] = {"Value": str(value)} if value is not None else {}
        return ActionResult(result)

    def modify_image_attribute(self, response):
        get = response._get_param
        image = self.own(response.ec2_backend, get("ImageId"))
        response.error_on_dryrun()
        if get("Description.Value") is not None:
            image.description = get("Description.Value")
        if get("ImdsSupport.Value") is not None or get("Attribute") == "imdsSupport":
            value = get("ImdsSupport.Value") or get("Value")
            if value != "v2.0":
                raise Refusal("InvalidParameterValue", f"Value ({value}) for parameter imdsSupport is invalid.")
            image.imds_support = value
        if get("Attribute") == "description":
            image.description = get("Value")
        change = get("LaunchPermission", {}) or {}
        added, removed = list(change.get("Add") or []), list(change.get("Remove") or [])
        target = {"add": added, "remove": removed}.get(get("OperationType"))
        if target is not None:
            target += [{"Group": value} for value in get("UserGroups", []) or []] + [{"UserId": value} for value in get("UserIds", []) or []]
            target += [{"OrganizationArn": value} for value in get("OrganizationArns", []) or []]
            target += [{"OrganizationalUnitArn": value} for value in get("OrganizationalUnitArns", []) or []]
        response.ec2_backend.validate_permission_targets(added + removed)
        if {"Group": "all"} in added:
            if self.block_public(response.ec2_backend) == "block-new-sharing":
                raise Refusal("OperationNotPermitted", "You can't publicly share this image because block public access for AMIs is enabled for this account and Region.")
            if any(entry.get("Ebs", {}).get("Encrypted") for entry in image.block_device_mappings):
                raise Refusal("InvalidParameterValue", "Images with encrypted snapshots cannot be made public")
        if added:
            for snapshot_id in image.snapshot_ids:
                snapshot = response.ec2_backend.snapshots.get(snapshot_id)
                if snapshot is not None and snapshot.encrypted and (snapshot.kms_key_id or AWS_KEY).endswith(AWS_KEY):
                    raise Refusal("InvalidParameter", f"Snapshot {snapshot_id} is encrypted with the default key, and can't be shared")
        for permission in added:
            if permission not in image.launch_permissions:
                image.launch_permissions.append(dict(permission))
        image.launch_permissions[:] = [permission for permission in image.launch_permissions if permission not in removed]
        return EmptyResult()

    def enable_image_deprecation(self, response):
        image = self.own(response.ec2_backend, response._get_param("ImageId"))
        when = response._get_param("DeprecateAt")
        response.error_on_dryrun()
        image.deprecation_time = when if isinstance(when, str) else when.strftime("%Y-%m-%dT%H:%M:00.000Z")
        return ActionResult({"Return": True})

    def disable_image_deprecation(self, response):
        image = self.own(response.ec2_backend, response._get_param("ImageId"))
        response.error_on_dryrun()
        image.deprecation_time = None
        return ActionResult({"Return": True})


    def enable_image_deregistration_protection(self, response):
        image = self.own(response.ec2_backend, response._get_param("ImageId"))
        response.error_on_dryrun()
        image.deregistration_protection = "enabled-with-cooldown" if response._get_param("WithCooldown") else "enabled-without-cooldown"
        return ActionResult({"Return": image.deregistration_protection})

    def disable_image_deregistration_protection(self, response):
        image = self.own(response.ec2_backend, response._get_param("ImageId"))
        response.error_on_dryrun()
        image.deregistration_protection = "disabled"
        return ActionResult({"Return": image.deregistration_protection})

    # of the account -----------------------------------------------------------------------------------------

    def block_public(self, backend):
        # On by default for accounts without public images (EC2 user guide, "Block public access to your AMIs").
        return self._blocks_public.get((backend.account_id, backend.region_name), "block-new-sharing")

    def get_image_block_public_access_state(self, response):
        response.error_on_dryrun()
        return ActionResult({"ImageBlockPublicAccessState": self.block_public(response.ec2_backend), "ManagedBy": "account"})

    def _block(self, response, state):
        response.error_on_dryrun()
        self._blocks_public[response.ec2_backend.account_id, response.ec2_backend.region_name] = state
        return state

    def enable_image_block_public_access(self, response):
        return ActionResult({"ImageBlockPublicAccessState": self._block(response, response._get_param("ImageBlockPublicAccessState"))})

    def disable_image_block_public_access(self, response):
        return ActionResult({"ImageBlockPublicAccessState": self._block(response, "unblocked")})

    def get_ebs_default_kms_key_id(self, response):
        backend = response.ec2_backend
        return ActionResult({"KmsKeyId": self._default_keys.get((backend.account_id, backend.region_name), AWS_KEY)})

    def modify_ebs_default_kms_key_id(self, response):
        backend, key = response.ec2_backend, response._get_param("KmsKeyId")
        response.error_on_dryrun()
        self._default_keys[backend.account_id, backend.region_name] = key
        return ActionResult({"KmsKeyId": key})


def parse_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
