"""Everything that clients created and that still exists, in all accounts and regions; after a bake only its image may be left."""
from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from .seeds import AMAZON, CANONICAL, DEBIAN, REDHAT

OTHERS = {AMAZON, CANONICAL, DEBIAN, REDHAT}


class Leaks:
    def __init__(self, cloud):
        self.cloud = cloud
        self._forgiven = set()

    def forgive(self):
        """Ignores everything that exists now: resources that the test itself prepared."""
        with self.cloud.lock:
            self._forgiven = {(kind, entry["id"]) for _, kind, entry in self._all()}

    def list(self):
        """The remaining resources by account/region (or account/global) and kind."""
        found = {}
        with self.cloud.lock:
            for place, kind, entry in self._all():
                if (kind, entry["id"]) not in self._forgiven:
                    found.setdefault(place, {}).setdefault(kind, []).append(entry)
        return found

    def _all(self):
        for account, regions in list(ec2_backends.items()):
            if account in OTHERS:
                continue
            for region, backend in list(regions.items()):
                for kind, entry in _of_region(backend):
                    yield f"{account}/{region}", kind, entry
        for account, regions in list(autoscaling_backends.items()):
            for region, backend in list(regions.items()):
                for group in list(backend.autoscaling_groups.values()):
                    yield f"{account}/{region}", "auto-scaling-groups", {"id": group._id, "name": group.name}
        for account, partitions in list(iam_backends.items()):
            for backend in list(partitions.values()):
                for role in backend.roles.values():
                    yield f"{account}/global", "roles", {"id": role.id, "name": role.name}
                for profile in backend.instance_profiles.values():
                    yield f"{account}/global", "instance-profiles", {"id": profile.id, "name": profile.name}


def _of_region(backend):
    for reservation in list(backend.reservations.values()):
        for instance in reservation.instances:
            if instance.state != "terminated":
                yield "instances", {"id": instance.id, "state": instance.state, "tags": _tags(backend, instance.id)}
    for volume in list(backend.volumes.values()):
        if volume.attachment is None:
            yield "volumes", {"id": volume.id, "tags": _tags(backend, volume.id)}
        elif volume.attachment.instance.state == "terminated":
            yield "volumes", {"id": volume.id, "tags": _tags(backend, volume.id)}
    for pair in list(backend.key_pairs.values()):
        yield "key-pairs", {"id": pair.id, "name": pair.key_name}
    for groups in list(backend.groups.values()):
        for group in list(groups.values()):
            if group.name != "default":
                yield "security-groups", {"id": group.id, "name": group.name}
    for snapshot in list(backend.snapshots.values()):
        yield "snapshots", {"id": snapshot.id, "state": snapshot.status, "tags": _tags(backend, snapshot.id)}
    for image in list(backend.amis.values()):
        yield "images", {"id": image.id, "name": image.name, "state": image.state, "tags": _tags(backend, image.id)}
    for template in list(backend.launch_templates.values()):
        yield "launch-templates", {"id": template.id, "name": template.name}
    for eni in list(backend.enis.values()):
        if eni.instance is None:
            yield "network-interfaces", {"id": eni.id}
    for address in list(backend.addresses):
        yield "addresses", {"id": address.allocation_id}


def _tags(backend, identifier):
    return dict(backend.tags.get(identifier, {}))
