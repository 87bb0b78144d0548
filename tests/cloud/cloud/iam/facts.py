"""Facts from moto about the resources that a call names: existence, owner, tags."""
from moto.ec2.models import ec2_backends
from moto.kms.models import kms_backends


def tags_of(entries):
    return {str(one.get("Key")): str(one.get("Value") or "") for one in entries if isinstance(one, dict) and one.get("Key")}


def request_tags(given):
    """Condition keys for the tags of a request (none if there are no tags)."""
    return {**{f"aws:RequestTag/{name}": value for name, value in given.items()}, "aws:TagKeys": list(given)} if given else {}


def call_is_spot(data):
    return (data.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"


KINDS = {"i": "instance", "ami": "image", "snap": "snapshot", "vol": "volume", "sg": "security-group", "eni": "network-interface", "key": "key-pair",
         "lt": "launch-template", "subnet": "subnet", "vpc": "vpc", "sir": "spot-instances-request"}


def kind_of(identifier):
    return KINDS[str(identifier).split("-")[0]]


def look_up(call, region, kind, identifier):
    """(owner's account if it matters, name in an ARN or None, tags) of a resource. Each account sees its own tags
    of another's resource."""
    backend = ec2_backends[call.account][region]
    tags = lambda entry: dict(backend.tags.get(entry, {}))  # noqa: E731
    if kind == "key-pair":
        pair = next((pair for pair in backend.key_pairs.values() if identifier in (pair.key_name, pair.id)), None)
        return None, pair.key_name if pair else None, tags(pair.id) if pair else {}
    if kind == "launch-template":
        known = backend.launch_templates
        identifier = getattr(backend, "launch_template_name_to_ids", {}).get(identifier, identifier)
        return None, identifier if identifier in known else None, tags(identifier)
    if kind in ("image", "snapshot"):
        known = "amis" if kind == "image" else "snapshots"
        for account, regions in list(ec2_backends.items()):
            if region in regions and identifier in getattr(regions[region], known):
                return account, identifier, tags(identifier) if account == call.account else {}
        return None, None, {}
    holders = {
        "instance": lambda: backend.get_instance_by_id(identifier), "volume": lambda: backend.volumes.get(identifier),
        "security-group": lambda: backend.get_security_group_from_id(identifier), "network-interface": lambda: backend.enis.get(identifier),
    }
    holder = holders.get(kind, lambda: True)()
    return None, identifier if holder else None, tags(identifier)


def template_data(call, given):
    """(ID, version data) of a launch template that a call names."""
    if not given or not given[0]:
        return None
    backend = ec2_backends[call.account][call.region]
    try:
        version = backend._get_template_from_args(given[0])
    except Exception:  # a missing resource is reported by the service itself
        return None
    return version.template.id, version.data


def snapshots_of(call, images):
    known = ec2_backends[call.account][call.region].amis
    return [snapshot for image in images if image in known for snapshot in known[image].snapshot_ids]


def volumes_of(call, instance):
    return [volume.id for volume in ec2_backends[call.account][call.region].volumes.values() if volume.attachment and volume.attachment.instance.id == instance]


def attached(call, interfaces):
    known = ec2_backends[call.account][call.region].enis
    return [known[one].instance.id for one in interfaces if one in known and getattr(known[one], "instance", None)]


def key_facts(call, key, region, partition):
    """(ARN, aliases) of a customer managed key; one that was not created in KMS is known by the given name."""
    keys = kms_backends[call.account][region]
    alias = key[key.index("alias/"):] if "alias/" in key else None
    if key.startswith("arn:") and alias is None:
        return key, []
    if alias is None:
        return f"arn:{partition}:kms:{region}:{call.account}:key/{key}", list(keys.get_aliases_from_key_id(key)) if hasattr(keys, "get_aliases_from_key_id") and key in keys.keys else []
    return f"arn:{partition}:kms:{region}:{call.account}:key/00000000-0000-4000-8000-000000000000", [alias]
