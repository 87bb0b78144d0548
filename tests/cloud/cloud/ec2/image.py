"""An AMI, with everything that DescribeImages shows of it."""
import copy

from moto.core.utils import utcnow
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.utils import random_ami_id


class Image(TaggedEC2Resource):
    """An AMI. Attribute names are the API's in snake case, by which moto's serializer finds them."""

    def __init__(self, backend, name, **fields):
        self.ec2_backend = backend
        self.id = fields.pop("id", None) or random_ami_id()
        self.name = name
        self.owner_id = fields.pop("owner_id", backend.account_id)
        self.image_owner_alias = fields.pop("owner_alias", None)
        self.image_location = f"{self.owner_id}/{name}"
        self.description = fields.pop("description", None) or ""
        self.state = fields.pop("state", "pending")
        self.state_reason = None
        self.creation_date = fields.pop("creation_date", None) or utcnow()
        # RegisterImage's own default, which no modern machine boots.
        self.architecture = fields.pop("architecture", "i386")
        self.virtualization_type = fields.pop("virtualization_type", "paravirtual")
        self.root_device_name = fields.pop("root_device_name", None)
        self.root_device_type = "ebs"
        self.hypervisor = "xen"
        self.image_type = "machine"
        self.ena_support = fields.pop("ena_support", False)
        self.sriov_net_support = fields.pop("sriov_net_support", None)
        self.boot_mode = fields.pop("boot_mode", None)
        self.tpm_support = fields.pop("tpm_support", None)
        self.imds_support = fields.pop("imds_support", None)
        self.uefi_data = fields.pop("uefi_data", None)
        self.platform = fields.pop("platform", None)
        self.platform_details = fields.pop("platform_details", "Linux/UNIX")
        self.usage_operation = fields.pop("usage_operation", "RunInstances")
        self.product_codes = fields.pop("product_codes", [])
        self.kernel_id = self.ramdisk_id = None
        self.block_device_mappings = fields.pop("block_device_mappings", [])
        self.launch_permissions = fields.pop("launch_permissions", [])
        # Of the instance that it was created from; AMIs may carry it.
        self.shutdown_behaviour = fields.pop("shutdown_behaviour", None)
        self.deprecation_time = None
        self.source_instance_id = fields.pop("source_instance_id", None)
        self.source_image_id = fields.pop("source_image_id", None)
        self.source_image_region = fields.pop("source_image_region", None)
        self.deregistration_protection = "disabled"
        self.last_launched_time = None
        if fields:
            raise TypeError(f"unknown fields {sorted(fields)}")

    @property
    def public(self):
        return {"Group": "all"} in self.launch_permissions

    @property
    def snapshot_ids(self):
        return [entry["Ebs"]["SnapshotId"] for entry in self.block_device_mappings if entry.get("Ebs", {}).get("SnapshotId")]

    def launched(self):
        self.last_launched_time = utcnow().strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def visible_to(self, account):
        return self.owner_id == account or self.public or {"UserId": account} in self.launch_permissions

    def seen_by(self, backend):
        """The image as another account sees it: with that account's tags instead of the owner's."""
        if self.ec2_backend is backend:
            return self
        other = copy.copy(self)
        other.ec2_backend = backend
        return other

    def get_filter_value(self, filter_name, method_name=None):
        plain = {
            "image-id": self.id, "is-public": self.public, "owner-alias": self.image_owner_alias, "usage-operation": self.usage_operation,
            "platform-details": self.platform_details, "ena-support": self.ena_support, "block-device-mapping.snapshot-id": self.snapshot_ids,
            "product-code": [code["ProductCodeId"] for code in self.product_codes], "creation-date": self.creation_date,
            "source-image-id": self.source_image_id, "source-instance-id": self.source_instance_id, "platform": self.platform,
            "imds-support": self.imds_support, "boot-mode": self.boot_mode, "tpm-support": self.tpm_support,
        }
        if filter_name in plain:
            value = plain[filter_name]
            return value if value is not None else ""
        return super().get_filter_value(filter_name, "DescribeImages")
