"""Public images that exist from the start, and the public parameters that refer to them."""
import datetime
import hashlib

from moto.ec2.models import ec2_backends
from moto.ssm.models import Parameter, ssm_backends

from . import vm
from .ec2.image import Image

REGIONS = ("us-east-1", "eu-west-1")
CANONICAL, AMAZON, DEBIAN, REDHAT = "099720109477", "137112412989", "136693071363", "309956199498"
SEEDS = [
    # owner, alias, name, flavor, root device, GiB, extra
    (CANONICAL, None, "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20261001", "ubuntu", "/dev/sda1", 8, {"boot_mode": "uefi-preferred"}),
    (CANONICAL, None, "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20261101", "ubuntu", "/dev/sda1", 8, {"boot_mode": "uefi-preferred"}),
    (AMAZON, "amazon", "al2023-ami-2023.9.20261102.0-kernel-6.12-x86_64", "al2023", "/dev/xvda", 8, {"boot_mode": "uefi-preferred", "imds_support": "v2.0"}),
    (DEBIAN, None, "debian-12-amd64-20261103-2287", "debian", "/dev/xvda", 8, {"boot_mode": "uefi-preferred"}),
    (REDHAT, None, "RHEL-9.6.0_HVM-20261015-x86_64-0-Hourly2-GP3", "rhel", "/dev/sda1", 10,
     {"boot_mode": "uefi-preferred", "platform_details": "Red Hat Enterprise Linux", "usage_operation": "RunInstances:0010",
      "product_codes": [{"ProductCodeId": "6njl1pau431dv1qxipg63mvah", "ProductCodeType": "marketplace"}]}),
    (AMAZON, "amazon", "al2023-ami-2023.9.20261102.0-kernel-6.12-arm64", "al2023", "/dev/xvda", 8,
     {"architecture": "arm64", "boot_mode": "uefi", "imds_support": "v2.0"}),
    (DEBIAN, None, "debian-13-amd64-20261103-2287", "debian", "/dev/xvda", 8, {"boot_mode": "uefi-preferred"}),
]
PARAMETERS = {
    "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id": 1,
    "/aws/service/canonical/ubuntu/server/noble/stable/current/amd64/hvm/ebs-gp3/ami-id": 1,
    "/aws/service/canonical/ubuntu/server/24.04/stable/20261001/amd64/hvm/ebs-gp3/ami-id": 0,
    "/aws/service/canonical/ubuntu/server/24.04/stable/20261101/amd64/hvm/ebs-gp3/ami-id": 1,
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64": 2,
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.12-x86_64": 2,
    "/aws/service/debian/release/12/latest/amd64": 3,
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64": 5,
}


def identifier(prefix, *parts):
    """An ID that is the same in every run, so that tests and examples can name it."""
    return f"{prefix}-{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:17]}"


class Seeds:
    def __init__(self, cloud):
        self.cloud = cloud
        self._parameters = set()
        for region in REGIONS:
            for seed in SEEDS:
                self._plant(region, *seed)

    def plant(self, region, owner, name, flavour, id=None, files=None, fields=None, volumes=None, hardware=None):
        """Adds a public image with these files ({path: {text, mode}}) over its distribution's; returns its ID. `fields` are
        further attributes, `volumes` further mappings. The flavor `guest` is a virtual machine with this hardware."""
        if flavour == vm.FLAVOUR:
            return self._plant(region, owner, None, name, flavour, "/dev/xvda", vm.GIB, {"boot_mode": "legacy-bios", **(fields or {})}, id, vm.base(hardware))
        content = self.cloud.store.base(flavour)
        if files:
            content = self.cloud.store.over(content, files)
        device = next(seed[4] for seed in SEEDS if seed[3] == flavour)
        made = self._plant(region, owner, None, name, flavour, device, 8, dict(fields or {}), id, content)
        ec2_backends[owner][region].amis[made].block_device_mappings += volumes or []
        return made

    def _plant(self, region, owner, alias, name, flavour, device, size, extra, id=None, content=None):
        backend = ec2_backends[owner][region]
        snapshot = identifier("snap", region, name)
        self.cloud.snapshots.adopt(snapshot, content or self.cloud.store.base(flavour), size)
        parts = reversed(name.replace(".", "-").split("-"))
        digits = next((part for part in parts if len(part) == 8 and part.startswith("20") and part.isdigit()), "20260101")
        created = datetime.datetime.strptime(digits, "%Y%m%d").replace(hour=7, tzinfo=datetime.timezone.utc)
        image = Image(backend, name, id=id or identifier("ami", region, name), owner_id=owner, owner_alias=alias, state="available", creation_date=created,
                      launch_permissions=[{"Group": "all"}],
                      block_device_mappings=[{"DeviceName": device, "Ebs": {"SnapshotId": snapshot, "VolumeSize": size, "VolumeType": "gp3", "Iops": 3000,
                                                                            "Throughput": 125, "DeleteOnTermination": True, "Encrypted": False}}],
                      **{"description": name, "architecture": "x86_64", "virtualization_type": "hvm", "root_device_name": device, "ena_support": True,
                         "sriov_net_support": "simple", **extra})
        backend.amis[image.id] = image
        return image.id

    def ensure(self, account, region, service):
        """Adds the public parameters to an account. They belong to no account; moto keeps them in each."""
        if service != "ssm" or region not in REGIONS or (account, region) in self._parameters:
            return
        self._parameters.add((account, region))
        known = ssm_backends[account][region]._parameters
        # Moto's own parameters for Amazon's images refer to images that do not exist here.
        known._load_latest_amis = lambda: None
        for name, number in PARAMETERS.items():
            image = identifier("ami", region, SEEDS[number][2])
            now = datetime.datetime.now(datetime.timezone.utc)
            dict.__setitem__(known, name, [Parameter(account_id=account, name=name, value=image, parameter_type="String", description=None, allowed_pattern=None,
                                                     keyid=None, last_modified_date=now, version=1, data_type="aws:ec2:image")])
