"""Contents of volumes and snapshots: stacks of overlay layers, shared as long as they are used."""
import itertools
import os
import shutil
import subprocess
import threading

from . import base
from .sandbox_machine import SandboxMachine


USERS = {"ubuntu": "ubuntu", "al2023": "ec2-user", "rhel": "ec2-user", "debian": "admin"}


class Content:
    """The content of a snapshot: layers, topmost first. A layer never changes once it is in a content. The flavor
    is the distribution that a root disk started from: it determines default user and boot time."""

    def __init__(self, layers, flavour=None):
        self.layers = tuple(layers)
        self.flavour = flavour

    def disk(self, store, _size=None):
        """A new disk with this content; of files, it has no size."""
        return Disk(store, self)

    machine = SandboxMachine

    @property
    def user(self):
        return USERS.get(self.flavour, "ubuntu")


class Disk:
    """The content of a volume: the layers it was created from, and the directory of everything written since."""

    def __init__(self, store, content):
        self.store = store
        self.content = content
        self.upper = store.directory("d")
        self.lock = threading.Lock()

    def snapshot(self, quiet):
        """The disk's present content. A quiet disk hands over its writes as a layer and continues with an empty
        directory above it, which costs nothing; a busy one is copied."""
        with self.lock:
            if not os.listdir(self.upper):
                return self.content
            layer = self.store.directory("l")
            if quiet:
                os.rename(self.upper, layer)
                self.upper = self.store.directory("d")
            else:
                copy_tree(self.upper, layer)
            content = Content((layer, *self.content.layers), self.content.flavour)
            if quiet:
                self.content = content
            return content

    def drop(self):
        with self.lock:
            shutil.rmtree(self.upper, ignore_errors=True)
            self.upper = None


class Store:
    def __init__(self, root, sha1_signatures=False):
        self.root = root
        self._sha1 = sha1_signatures
        self._numbers = itertools.count(1)
        self._bases = {}
        self._lock = threading.Lock()
        os.makedirs(root, exist_ok=True)
        self.shims = base.build_shims(self.directory("g"))

    def directory(self, kind):
        """A new directory; names are short since a mount's options are limited to one page."""
        path = os.path.join(self.root, f"{kind}{next(self._numbers)}")
        os.makedirs(path, mode=0o755)
        return path

    def base(self, flavour):
        """The content of a seeded image of this distribution."""
        with self._lock:
            if flavour not in self._bases:
                layer = base.build_image(self.directory("b"), USERS[flavour], self._sha1)
                self._bases[flavour] = Content([layer], flavour)
            return self._bases[flavour]

    def over(self, content, files):
        """The content with these files added: {path: {text, mode}}, the mode in octal digits."""
        layer = self.directory("f")
        for path, file in files.items():
            base.put(layer, path.lstrip("/"), file["text"], int(file.get("mode", "0755"), 8))
        return Content((layer, *content.layers), content.flavour)

    def collect(self, contents, disks):
        """Removes the layers that none of these contents and disks uses."""
        held = {os.path.dirname(layer) if os.path.isfile(layer) else layer for content in contents for layer in content.layers}
        held |= {os.path.dirname(disk.upper) for disk in disks if disk.upper}
        with self._lock:
            held |= {layer for content in self._bases.values() for layer in content.layers}
        for name in os.listdir(self.root):
            path = os.path.join(self.root, name)
            # `l` is a layer of files; `v` is that of a virtual machine's disk, which may still be written to.
            if name[0] in "lv" and path not in held:
                shutil.rmtree(path, ignore_errors=True)


def copy_tree(source, target):
    """Copies everything, including whiteouts and extended attributes. On a live disk files may vanish meanwhile."""
    subprocess.run(["cp", "-a", "--reflink=auto", source + "/.", target], check=False, stderr=subprocess.DEVNULL)
