"""Parameters that EC2 validates in any call: tags, names, tokens, volumes."""
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


def volume(ebs):
    """Limits and messages as in the EC2 API reference (EbsBlockDevice, CreateVolume)."""
    kind, size, iops, throughput = ebs.get("VolumeType"), number(ebs.get("VolumeSize")), number(ebs.get("Iops")), number(ebs.get("Throughput"))
    if throughput is not None and kind != "gp3":
        raise Refusal("InvalidParameterCombination", f"The parameter throughput is not supported for {kind or 'gp2'} volumes.")
    if iops is not None and kind not in ("gp3", "io1", "io2"):
        raise Refusal("InvalidParameterCombination", f"The parameter iops is not supported for {kind or 'gp2'} volumes.")
    if kind in ("io1", "io2") and iops is None:
        raise Refusal("MissingParameter", "The parameter iops must be specified for io1 and io2 volumes.")
    if kind != "gp3":
        return
    if iops is not None:
        if iops < 3000:
            raise Refusal("InvalidParameterValue", f"Volume iops of {iops} is too low; minimum is 3000.")
        if iops > 16000:
            raise Refusal("InvalidParameterValue", f"Volume iops of {iops} is too high; maximum is 16000.")
        if size is not None and iops > max(3000, 500 * size):
            raise Refusal("InvalidParameterValue", f"Iops to volume size ratio of {iops / size:f} is too high; maximum is 500.000000")
    if throughput is not None:
        if not 125 <= throughput <= 1000:
            raise Refusal("InvalidParameterValue", f"Throughput (MiBps) of {throughput} is out of range; it must be between 125 and 1000.")
        if throughput > (iops or 3000) / 4:
            raise Refusal("InvalidParameterValue", f"Throughput (MiBps) to iops ratio of {throughput / (iops or 3000):f} is too high; maximum is 0.250000 MiBps per iops.")


def number(value):
    return None if value in (None, "") else int(value)
