"""Snapshots with the files of a volume at the time of the call, completed some time later."""
import urllib.parse

from moto.core.responses import ActionResult, EmptyResult
from moto.ebs.models import EBSBackend
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import Snapshot
from moto.ec2.utils import random_snapshot_id

from ..wire import Refusal

PENDING_PER_VOLUME = 5
# Concurrent copies to a region (EBS quotas, "Concurrent snapshot copies per destination Region"), CopyImage's too.
COPIES = 20


def tags_of(response, kind):
    """The tags in a call for new resources of this kind."""
    for specification in response._get_param("TagSpecifications", []) or []:
        if specification.get("ResourceType") == kind:
            return {tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags") or []}
    return {}


class Source:
    """Facts about the volume of a snapshot, which may be deleted by now."""

    def __init__(self, volume_id, size):
        self.id, self.size = volume_id, size


class Snapshots:
    def __init__(self, cloud):
        self.cloud = cloud
        self.copies = COPIES
        self._sizes = {}  # snapshot id → GiB
        self._taken = {}  # volume ID → time of its last snapshot on the clock

    def install(self, response_class):
        for name in ("create_snapshot", "create_snapshots", "copy_snapshot", "delete_snapshot", "describe_snapshots"):
            setattr(response_class, name, self._handler(name))
        moto_start = EBSBackend.start_snapshot

        def start_snapshot(backend, *arguments, **options):
            """Of EBS's direct API; moto makes it of a volume that nobody asked for."""
            before = set(backend.ec2_backend.volumes)
            snapshot = moto_start(backend, *arguments, **options)
            for volume in set(backend.ec2_backend.volumes) - before:
                backend.ec2_backend.volumes.pop(volume)
            return snapshot

        EBSBackend.start_snapshot = start_snapshot
        Snapshot.progress = property(progress)
        Snapshot.state = property(lambda snapshot: snapshot.status)

    def _handler(self, name):
        work = getattr(self, name)
        return lambda response: work(response)

    def room_for_copies(self, backend, wanted):
        """The account's quota, which may be lower than EC2's default."""
        most = self.copies
        under_way = [s for s in backend.snapshots.values() if s.status == "pending" and getattr(s, "copied", False)]
        if len(under_way) + len(wanted) > most:
            raise Refusal("ResourceLimitExceeded", f"Too many snapshot copies in progress. The limit is {most} for this destination region.")

    def size(self, snapshot_id):
        if snapshot_id not in self._sizes:
            raise Refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        return self._sizes[snapshot_id]

    def adopt(self, snapshot_id, content, size):
        """Creates the snapshot of a seeded image, which no call created."""
        self.cloud.contents[snapshot_id] = content
        self._sizes[snapshot_id] = size

    # creation -----------------------------------------------------------------------------------------------

    def take(self, backend, volume, description, tags, quiet, whole=None):
        """A snapshot of a volume in its present state. `whole`: seconds until it is complete, if the caller decides."""
        now = self.cloud.clock.now()
        gap = self.cloud.latency.of("min_s_between_snapshots_of_volume")
        if now - self._taken.get(volume.id, -1e9) < gap:
            raise Refusal("SnapshotCreationPerVolumeRateExceeded",
                          "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval between requests.")
        pending = [s for s in backend.snapshots.values() if s.status == "pending" and s.volume.id == volume.id]
        if len(pending) >= PENDING_PER_VOLUME:
            raise Refusal("ConcurrentSnapshotLimitExceeded", f"Maximum allowed in-progress snapshots for a single volume exceeded: {volume.id}")
        seconds = self.seconds(backend, volume) if whole is None else whole
        self._taken[volume.id] = now
        content = self.cloud.disk(volume).snapshot(quiet)
        return self.add(backend, content, Source(volume.id, volume.size), description, tags, seconds, volume.encrypted, volume.kms_key_id)

    def seconds(self, backend, volume):
        disk = self.cloud.disk(volume)
        if not disk.content.layers and volume.snapshot_id is None:
            return self.cloud.latency.of("create_snapshot_empty_volume")
        if volume.snapshot_id in backend.snapshots or volume.id in self._taken:
            return self.cloud.latency.of("create_image_incremental")
        if (volume.throughput or 0) >= 500:
            return self.cloud.latency.of("create_image_full_fast_volume")
        return self.cloud.latency.of("create_image_full")

    def add(self, backend, content, source, description, tags, seconds, encrypted=False, kms_key_id=None):
        snapshot = Snapshot(backend, random_snapshot_id(), source, description or "", encrypted=encrypted, kms_key_id=kms_key_id)
        snapshot.status, snapshot.state_message = "pending", None
        snapshot.clock = self.cloud.clock
        snapshot.began, snapshot.takes = snapshot.clock.now(), seconds
        backend.snapshots[snapshot.id] = snapshot
        self.adopt(snapshot.id, content, source.size)
        snapshot.add_tags(tags)
        call = self.cloud.current
        rule = self.cloud.faults.take(call, {"snapshot-error"}) if call else None
        self.cloud.timeline.after(seconds, self._complete, snapshot, rule.options if rule else None, hold=self.cloud.faults.hold(call))
        return snapshot

    def _complete(self, snapshot, failure):
        with self.cloud.lock:
            if snapshot.status != "pending":
                return
            if failure is not None:
                snapshot.status = "error"
                snapshot.state_message = failure.get("message", "Given key ID is not accessible")
            else:
                snapshot.status = "completed"

    def _instance_is_quiet(self, volume):
        attachment = volume.attachment
        machine = self.cloud.machines.get(attachment.instance.id) if attachment else None
        return machine is None or not machine.alive

    def create_snapshot(self, response):
        backend = response.ec2_backend
        volume = backend.get_volume(response._get_param("VolumeId"))
        response.error_on_dryrun()
        quiet = self._instance_is_quiet(volume)
        return ActionResult(self.take(backend, volume, response._get_param("Description"), tags_of(response, "snapshot"), quiet))

    def create_snapshots(self, response):
        backend = response.ec2_backend
        specification = response._get_param("InstanceSpecification", {})
        instance = backend.get_instance(specification.get("InstanceId"))
        if instance.state not in ("running", "stopping", "stopped"):
            raise Refusal("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which snapshots can be taken: {instance.state}.")
        response.error_on_dryrun()
        excluded = specification.get("ExcludeDataVolumeIds") or []
        made = []
        for device, block in instance.get_block_device_mapping:
            if device == instance.root_device_name and specification.get("ExcludeBootVolume"):
                continue
            if device != instance.root_device_name and block.volume_id in excluded:
                continue
            volume = backend.get_volume(block.volume_id)
            tags = tags_of(response, "snapshot")
            if response._get_param("CopyTagsFromSource") == "volume":
                tags = {**{tag["key"]: tag["value"] for tag in volume.get_tags() if not tag["key"].startswith("aws:")}, **tags}
            made.append(self.take(backend, volume, response._get_param("Description"), tags, self._instance_is_quiet(volume)))
        return ActionResult({"Snapshots": made})

    def copy_snapshot(self, response):
        backend, region = response.ec2_backend, response._get_param("SourceRegion")
        source_id = response._get_param("SourceSnapshotId")
        source = self.find(backend.account_id, region, source_id)
        if source is not None and source.status != "completed":
            raise Refusal("InvalidSnapshot.NotFound" if source.status == "error" else "IncorrectState", f"Snapshot {source_id} is not completed: {source.status}")
        response.error_on_dryrun()
        self.room_for_copies(backend, [source_id])
        encrypted = bool(response._get_param("Encrypted")) or bool(source is not None and source.encrypted)
        same = region == backend.region_name
        owned = source is not None and source.owner_id == backend.account_id
        row = "copy_snapshot_same_region" if same else "copy_snapshot_cross_region_incr" if owned and self.has_parent(backend, source_id) else "copy_snapshot_cross_region_full"
        snapshot = self.add(backend, self.cloud.contents[source_id], Source("vol-ffffffff", self.size(source_id)), response._get_param("Description"),
                             tags_of(response, "snapshot"), self.cloud.latency.of(row), encrypted, response._get_param("KmsKeyId"))
        snapshot.copied = True
        if encrypted and not same and not presigned(response._get_param("PresignedUrl"), region, backend.region_name, source_id):
            # The real service accepts the call and fails later.
            snapshot.takes = 0.1
            self.cloud.timeline.after(0.05, self._complete, snapshot, {"message": "Given key ID is not accessible"})
        return ActionResult({"SnapshotId": snapshot.id, "Tags": snapshot.tag_set})

    def has_parent(self, backend, source_id):
        """True when this account has a snapshot here of the content that the source was written over: the copy is
        incremental."""
        below = self.cloud.contents[source_id].layers[1:]
        return any(self.cloud.contents[other].layers == below for other in backend.snapshots if other in self.cloud.contents) if below else False

    def find(self, account, region, snapshot_id):
        """A snapshot that this account may read; None for one of a seeded public image, which has no object."""
        for owner, regions in list(ec2_backends.items()):
            if region not in regions:
                continue
            snapshot = regions[region].snapshots.get(snapshot_id)
            if snapshot is not None and (owner == account or account in snapshot.create_volume_permission_userids or "all" in snapshot.create_volume_permission_groups):
                return snapshot
        if snapshot_id in self.cloud.contents and self.cloud.images.public_snapshot(region, snapshot_id):
            return None
        raise Refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")

    # the rest -----------------------------------------------------------------------------------------------

    def delete_snapshot(self, response):
        backend, snapshot_id = response.ec2_backend, response._get_param("SnapshotId")
        if snapshot_id not in backend.snapshots:
            raise Refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        image = self.cloud.images.using(backend, snapshot_id)
        if image:
            raise Refusal("InvalidSnapshot.InUse", f"The snapshot {snapshot_id} is currently in use by {image.id}")
        response.error_on_dryrun()
        self.remove(backend, snapshot_id)
        return EmptyResult()

    def remove(self, backend, snapshot_id):
        backend.snapshots.pop(snapshot_id)
        backend.tags.pop(snapshot_id, None)
        self.cloud.contents.pop(snapshot_id, None)
        self._sizes.pop(snapshot_id, None)
        self.cloud.timeline.after(0, self.cloud.collect)

    def describe_snapshots(self, response):
        backend = response.ec2_backend
        owners, wanted = response._get_param("OwnerIds", []), response._get_param("SnapshotIds", [])
        for snapshot_id in wanted:
            if snapshot_id not in backend.snapshots:
                raise Refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        found = backend.describe_snapshots(snapshot_ids=wanted, filters=response._filters_from_querystring())
        if owners:
            owners = [backend.account_id if owner == "self" else owner for owner in owners]
            found = [snapshot for snapshot in found if snapshot.owner_id in owners]
        return ActionResult({"Snapshots": found})


def presigned(url, source, destination, snapshot_id):
    """True for a URL that the source region would accept: its own CopySnapshot, signed for it, of this snapshot to
    this region."""
    query = {name: values[0] for name, values in urllib.parse.parse_qs(urllib.parse.urlsplit(url or "").query).items()}
    said = (query.get("Action"), query.get("SourceRegion"), query.get("DestinationRegion"), query.get("SourceSnapshotId"))
    scope = query.get("X-Amz-Credential", "").split("/")[2:]
    return said == ("CopySnapshot", source, destination, snapshot_id) and scope == [source, "ec2", "aws4_request"] and "X-Amz-Signature" in query


def progress(snapshot):
    if snapshot.status == "completed" or not hasattr(snapshot, "began"):
        return "100%"
    share = (snapshot.clock.now() - snapshot.began) / snapshot.takes if snapshot.takes else 1.0
    return f"{min(99, int(share * 100))}%"
