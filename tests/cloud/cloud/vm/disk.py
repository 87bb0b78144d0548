"""Disks of virtual machines: qcow2 files that stand on one another, as the layers of sandboxes do."""
import os
import subprocess
import threading

from ..sandbox import REPOSITORY
from .machine import VmMachine
from .qmp import Gone

FLAVOUR = "guest"
# Size of the disk that tests/guest makes.
GIB = 3
# cloud-init's default user in Debian's package.
USER = "debian"
FORMAT = "qcow2"


class Content:
    """The content of a snapshot: qcow2 files, topmost first, each of which has the next as backing file. A file never
    changes once it is in a content. `hardware` is what the machine of such a disk has: {"disk": "virtio" | "nvme"}."""

    flavour = FLAVOUR
    user = USER
    machine = VmMachine

    def __init__(self, layers, hardware):
        self.layers = tuple(layers)
        self.hardware = hardware

    def disk(self, store, size):
        return Disk(store, self, size)


class Disk:
    """The content of a volume, and the file with everything written since."""

    def __init__(self, store, content, size):
        self.store = store
        self.content = content
        self.size = size  # GiB; None for that of the content
        self.upper = overlay(self._path(), content.layers[0], size)
        self.lock = threading.Lock()
        # A running machine's function that makes it write to a new file from now on; true when it does.
        self.switch = None

    def _path(self):
        return os.path.join(self.store.directory("v"), "disk.qcow2")

    def snapshot(self, _quiet):
        """The disk's present content: what was written becomes a layer, whether the machine runs or not."""
        with self.lock:
            path = self._path()
            try:
                running = self.switch and self.switch(path)
            except Gone:
                running = False
            if not running:
                overlay(path, self.upper)
            self.content = Content((self.upper, *self.content.layers), self.content.hardware)
            self.upper = path
            return self.content

    def rebase(self, layers):
        """Starts over from another content; only for a disk that nothing was written to."""
        with self.lock:
            self.content = Content(layers, self.content.hardware)
            os.unlink(self.upper)
            overlay(self.upper, layers[0], self.size)

    def drop(self):
        # The file may be a layer of a running machine's; the store frees it when nothing has it any more.
        self.upper = None


def overlay(path, below, gib=None):
    """Makes a file that shows `below` until it is written to."""
    size = [f"{gib}G"] if gib else []
    done = subprocess.run(["qemu-img", "create", "-q", "-f", FORMAT, "-F", FORMAT, "-b", below, path, *size], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"qemu-img create: {done.stderr.strip()}")
    return path


def base(hardware):
    """The content of tests/guest's disk, which is made when it is first used."""
    made = subprocess.run([os.path.join(REPOSITORY, "tests/guest/build")], capture_output=True, text=True, check=False)
    if made.returncode:
        raise ValueError(made.stderr.strip())
    return Content([os.path.join(made.stdout.strip(), "disk.qcow2")], {"disk": "virtio", **(hardware or {})})
