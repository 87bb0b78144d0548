"""State that moto does not have: contents of disks, machines, rules; and the one lock over all of moto."""
import os
import threading

from moto.ec2.models import ec2_backends

from .calls import Log
from .clock import Clock
from .faults import Faults
from .imagebuilder import Components
from .latency import Latency
from .permissions import Permissions
from .store import Content, Store
from .throttle import Throttle
from .timeline import Timeline


class CloudState:
    def __init__(self, state, latency=None, throttle=False, sha1_signatures=False, hidden=()):
        self.state = state
        self.hidden = [directory for directory in hidden if os.path.isdir(directory)]
        # Moto is not thread-safe: held during each of its calls and each transition, never while waiting.
        self.lock = threading.RLock()
        self.clock = Clock()
        self.timeline = Timeline(self.clock)
        self.store = Store(state + "/s", sha1_signatures)
        self.latency = latency or Latency()
        self.faults = Faults()
        self.throttle = Throttle(throttle)
        self.permissions = Permissions()
        self.calls = Log()
        self.components = Components()
        self.machines = {}  # instance id → Machine
        self.disks = {}  # volume id → Disk
        self.contents = {}  # snapshot id → Content
        self.created = {}  # ID → time of the call that created it, on the clock
        self.date = 0.0  # seconds that the header Date is ahead of this machine's clock
        self.current = None  # the call that moto is processing, while the lock is held
        self.seeds = None  # set once moto is patched

    def disk(self, volume):
        """The disk of a volume; one created by CreateVolume gets its disk when it is first used."""
        if volume.id not in self.disks:
            self.disks[volume.id] = self.disk_of(volume.snapshot_id, volume.size)
        return self.disks[volume.id]

    def disk_of(self, snapshot_id, size=None):
        """A new disk with a snapshot's content, or an empty one; the size in GiB."""
        content = self.contents.get(snapshot_id) if snapshot_id else None
        return (content or Content(())).disk(self.store, size)

    def collect(self):
        """Frees the layers of deleted snapshots and volumes; called without the lock."""
        with self.lock:
            known = {volume_id for regions in list(ec2_backends.values()) for backend in list(regions.values()) for volume_id in backend.volumes}
            for volume_id in [volume_id for volume_id in self.disks if volume_id not in known]:
                self.disks.pop(volume_id).drop()
            disks = list(self.disks.values())
            # With the lock: a disk that is made meanwhile would be taken for one that nobody has.
            self.store.collect([*self.contents.values(), *(disk.content for disk in disks)], disks)

    def advance(self, seconds):
        """Moves time forward: transitions in progress, the age of everything, and the timers of running guests."""
        self.timeline.advance(seconds)
        for machine in list(self.machines.values()):
            machine.advance(seconds)

    def stop(self):
        self.timeline.stop()
        machines = list(self.machines.values())
        for machine in machines:
            machine.kill()
        for machine in machines:
            machine.join(5)
