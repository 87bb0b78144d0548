"""Parameters that EC2 validates in any call: tags, names, tokens, volumes, descriptions."""
import datetime
import re

from ..wire import Refusal

IMAGE_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
GROUP_NAME = re.compile(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")
TAG_LIMIT = 50


def check(call):
    parameters = call.parameters
    specifications = parameters.get("TagSpecifications") or parameters.get("TagSpecification") or []
    for specification in specifications:
        kinds = [entry.get("ResourceType") for entry in specifications]
        if kinds.count(specification.get("ResourceType")) > 1:
            raise Refusal("InvalidParameterValue", f"Duplicate resource type '{specification.get('ResourceType')}' in tag specifications")
        tags(specification.get("Tags") or [])
    if call.action == "CreateTags":
        tags(parameters.get("Tags") or [])
    token = parameters.get("ClientToken")
    if token is not None and (len(token) > 64 or not token.isascii()):
        raise Refusal("InvalidParameterValue", "Client token must be at most 64 ASCII characters")
    if call.action in ("RegisterImage", "CreateImage", "CopyImage"):
        image_name(parameters.get("Name"))
        # RegisterImage: up to 255 characters; "Character sets beyond ASCII are not supported."
        text = parameters.get("Description") or ""
        if len(text) > 255 or not all(" " <= character <= "~" for character in text):
            raise Refusal("InvalidParameterValue", "Character sets beyond ASCII are not supported, and descriptions have up to 255 characters.")
    if call.action == "EnableImageDeprecation":
        deprecation(parameters.get("DeprecateAt"))
    if call.action in ("RegisterImage", "RunInstances", "CreateImage"):
        # RunInstances and RegisterImage: a device can have one mapping.
        devices = [str(mapping.get("DeviceName")).removeprefix("/dev/") for mapping in parameters.get("BlockDeviceMappings") or []]
        for device in devices:
            if devices.count(device) > 1:
                raise Refusal("InvalidBlockDeviceMapping", f"Duplicate device name: {device}")
    if call.action == "CreateSecurityGroup":
        group(parameters)
    if call.action in ("ImportKeyPair", "CreateKeyPair") and len(parameters.get("KeyName") or "") > 255:
        raise Refusal("InvalidParameterValue", "Value for parameter KeyName is too long; maximum is 255 characters")
    for mapping in parameters.get("BlockDeviceMappings") or []:
        volume(mapping.get("Ebs") or {})
    if call.action == "CreateVolume":
        volume({**parameters, "VolumeSize": parameters.get("Size")})


def tags(entries):
    keys = [entry.get("Key") or "" for entry in entries]
    for key in keys:
        if key.lower().startswith("aws:"):
            raise Refusal("InvalidParameterValue", f"Value ( {key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use")
        if not 1 <= len(key) <= 128:
            raise Refusal("InvalidParameterValue", f"Tag key exceeds the maximum length of 128 characters: '{key[:40]}'")
        if keys.count(key) > 1:
            raise Refusal("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
    for entry in entries:
        if len(entry.get("Value") or "") > 256:
            raise Refusal("InvalidParameterValue", f"Tag value exceeds the maximum length of 256 characters (key '{entry.get('Key')}')")
    if len(keys) > TAG_LIMIT:
        raise Refusal("TagLimitExceeded", f"More than {TAG_LIMIT} tags specified")


def deprecation(when):
    """Validates a deprecation time: in the future, and at most 10 years ahead (EC2 user guide, "Deprecate an Amazon
    EC2 AMI")."""
    at = when if isinstance(when, datetime.datetime) else datetime.datetime.fromisoformat(str(when).replace("Z", "+00:00"))
    at = at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)
    now = datetime.datetime.now(datetime.timezone.utc)
    if not now < at <= now + datetime.timedelta(days=3660):
        raise Refusal("InvalidParameterValue", f"The deprecation time {when} must be later than now and at most 10 years ahead.")


def image_name(name):
    if not name or not IMAGE_NAME.fullmatch(name):
        raise Refusal("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, "
                      "'(', ')', '.', '-', '/', '_', '@', ''', '[', ']' and spaces")


def group(parameters):
    name = parameters.get("GroupName") or ""
    if not GROUP_NAME.fullmatch(name) or name.lower().startswith("sg-"):
        raise Refusal("InvalidParameterValue", f"Invalid security group name '{name[:60]}': up to 255 of a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{{}}!$*, and not starting with sg-")
    if not GROUP_NAME.fullmatch(parameters.get("Description") or parameters.get("GroupDescription") or ""):
        raise Refusal("InvalidParameterValue", "Invalid security group description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")


# type: sizes in GiB, IOPS and the most per GiB, throughput in MiB/s (EBS user guide, "Amazon EBS volume types"; gp3 as of
# September 2025: 64 TiB, 80,000 IOPS, 2,000 MiB/s).
VOLUMES = {
    "gp3": ((1, 65536), (3000, 80000, 500), (125, 2000)), "gp2": ((1, 16384), None, None), "io1": ((4, 16384), (100, 64000, 50), None),
    "io2": ((4, 65536), (100, 256000, 1000), None), "st1": ((125, 16384), None, None), "sc1": ((125, 16384), None, None), "standard": ((1, 1024), None, None),
}
# A machine can't boot from these (EBS user guide, "Amazon EBS volume types").
NO_ROOT = {"st1", "sc1"}


def volume(ebs, root=False):
    """Validates a volume, with limits and messages as in the EC2 API reference (EbsBlockDevice, CreateVolume)."""
    kind, size, iops, throughput = ebs.get("VolumeType"), number(ebs.get("VolumeSize")), number(ebs.get("Iops")), number(ebs.get("Throughput"))
    if kind is not None and kind not in VOLUMES:
        raise Refusal("InvalidParameterValue", f"Value ({kind}) for parameter volumeType is invalid.")
    sizes, speed, flow = VOLUMES[kind or "gp2"]
    if str(ebs.get("Encrypted", "")).lower() == "false" and ebs.get("KmsKeyId"):
        raise Refusal("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
    if root and kind in NO_ROOT:
        raise Refusal("InvalidParameterValue", f"The volume type '{kind}' is not supported for a root device.")
    if throughput is not None and flow is None:
        raise Refusal("InvalidParameterCombination", f"The parameter throughput is not supported for {kind or 'gp2'} volumes.")
    if iops is not None and speed is None:
        raise Refusal("InvalidParameterCombination", f"The parameter iops is not supported for {kind or 'gp2'} volumes.")
    if kind in ("io1", "io2") and iops is None:
        raise Refusal("MissingParameter", "The parameter iops must be specified for io1 and io2 volumes.")
    if kind is not None and size is not None and not sizes[0] <= size <= sizes[1]:
        raise Refusal("InvalidParameterValue", f"Volume of {size}GiB is too {'small' if size < sizes[0] else 'large'} for volume type {kind}; {'minimum' if size < sizes[0] else 'maximum'} is {sizes[0] if size < sizes[0] else sizes[1]}GiB.")
    if iops is not None:
        least, most, ratio = speed
        if iops < least:
            raise Refusal("InvalidParameterValue", f"Volume iops of {iops} is too low; minimum is {least}.")
        if iops > most:
            raise Refusal("InvalidParameterValue", f"Volume iops of {iops} is too high; maximum is {most}.")
        if size is not None and iops > max(least, ratio * size):
            raise Refusal("InvalidParameterValue", f"Iops to volume size ratio of {iops / size:f} is too high; maximum is {ratio:f}")
    if throughput is not None:
        if not flow[0] <= throughput <= flow[1]:
            raise Refusal("InvalidParameterValue", f"Throughput (MiBps) of {throughput} is out of range; it must be between {flow[0]} and {flow[1]}.")
        if throughput > (iops or 3000) / 4:
            raise Refusal("InvalidParameterValue", f"Throughput (MiBps) to iops ratio of {throughput / (iops or 3000):f} is too high; maximum is 0.250000 MiBps per iops.")


def number(value):
    return None if value in (None, "") else int(value)
