"""The saved state of tests/guest's disk in the middle of its first boot: firmware, kernel and most of systemd's work are
behind it, and cloud-init has not yet asked for its metadata. All instances of the disk begin there."""
import fcntl
import hashlib
import os
import selectors
import shutil
import tempfile
import threading
import time

from . import command
from .qmp import Qmp

# cloud-init's first words; it looks for its data source after them. Not at once: the Python that says it has to be loaded.
MARK = b"running 'init-local'"
# A locally administered address; the saved state has it.
MAC = "02:00:00:a3:1b:9e"
LIMIT = 1800


class Saved:
    def __init__(self, folder):
        self.memory = os.path.join(folder, "memory")
        self.disk = os.path.join(folder, "disk.qcow2")


class _Machine:
    """What the command line wants to know."""

    id = "i-00000000000000000"
    kind = "t3.small"

    def __init__(self, directory):
        from ..machine import free_address
        self.directory, self.address, self.qmp = directory, free_address(), Qmp()


def saved(base, hardware):
    """The state of this base disk; made once for a version of QEMU and of this folder. None where it can't be had."""
    if hardware["disk"] != "virtio":
        # QEMU's NVMe device can't be saved.
        return None
    digest = hashlib.sha256((command.version() + command.accelerator()).encode())
    for name in ("booted.py", "command.py"):
        with open(os.path.join(command.HERE, name), "rb") as file:
            digest.update(file.read())
    folder = os.path.join(os.path.dirname(base), "booted-" + digest.hexdigest()[:12])
    if not os.path.exists(folder):
        with open(os.path.join(os.path.dirname(base), "booted.lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(folder):
                for other in os.listdir(os.path.dirname(base)):
                    if other.startswith("booted-"):
                        shutil.rmtree(os.path.join(os.path.dirname(base), other))
                make(base, hardware, folder)
    return Saved(folder)


def make(base, hardware, folder):
    from .disk import overlay
    work = folder + ".new"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    # Relative, so that the repository can be moved.
    overlay(os.path.join(work, "disk.qcow2"), "../disk.qcow2")
    with tempfile.TemporaryDirectory() as directory:
        machine = _Machine(directory)
        process = command.start(command.command(machine, os.path.join(work, "disk.qcow2"), hardware, MAC), machine)
        pump = threading.Thread(target=_pump, args=(machine.qmp,), daemon=True)
        pump.start()
        try:
            _until(process, MARK)
            machine.qmp.ask("stop")
            machine.qmp.ask("migrate", uri=f"exec:cat >{work}/memory")
            while (state := machine.qmp.ask("query-migrate")["status"]) != "completed":
                if state in ("failed", "cancelled"):
                    raise RuntimeError("QEMU could not save the state of the machine")
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
            pump.join()
            machine.qmp.close()
    os.rename(work, folder)


def _pump(qmp):
    while qmp.receive() is not None:
        pass


def _until(process, mark):
    seen, end = b"", time.monotonic() + LIMIT
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while mark not in seen:
            if not selector.select(end - time.monotonic()):
                raise RuntimeError(f"the base machine did not come up:\n{seen[-2000:].decode('utf-8', 'replace')}")
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                raise RuntimeError(f"QEMU ended:\n{seen[-2000:].decode('utf-8', 'replace')}")
            seen = (seen + data)[-20000:]
