"""A machine that is a sandbox: namespaces and an overlay over the host's root."""
import json
import os
import re
import selectors
import shutil
import time
import uuid

from . import sandbox
from .machine import Machine

CONTROL = "/run/cloud-guest"
LAST_WORDS = {"poweroff": "reboot: Power down", "halt": "reboot: System halted", "reboot": "reboot: Restarting system"}


class SandboxMachine(Machine):
    def __init__(self, cloud, instance_id, root, settings, went_down):
        super().__init__(cloud, instance_id, root, settings, went_down)
        self.control = os.path.join(self.directory, "c")
        os.makedirs(self.control, mode=0o700)
        self._kmsg_path = os.path.join(self.directory, "kmsg")
        os.mkfifo(self._kmsg_path, 0o600)
        os.mkfifo(os.path.join(self.control, "button"), 0o600)
        # Opened for reading and writing, so that a writer in the guest never blocks or gets an error.
        self._kmsg = os.open(self._kmsg_path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._button = os.open(os.path.join(self.control, "button"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._work = None

    # boot ---------------------------------------------------------------------------------------------------

    def _prepare(self, ssh_in, shutdown_seconds):
        self.boot_id = str(uuid.uuid4())
        self._forget_presses()
        power = os.path.join(self.control, "power")
        if os.path.exists(power):
            os.unlink(power)
        boot = {"instance_id": self.id, "hostname": self.hostname, "address": self.address, "booted": self._booted,
                "ssh_at": self._booted + ssh_in, "shutdown_seconds": shutdown_seconds, **self.settings}
        path = os.path.join(self.control, "boot.json")
        with open(path, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(boot, file)
        return (self._spec(),)

    def _forget_presses(self):
        try:
            os.read(self._button, 4096)
        except BlockingIOError:
            pass

    def _spec(self):
        self._work = self.cloud.store.directory("w")
        return {
            "lower": [self.cloud.store.shims, *self.root.content.layers, "/"],
            "upper": self.root.upper,
            "work": self._work,
            "hostname": self.hostname,
            "network": "host",
            "binds": [
                {"source": self.control, "target": CONTROL, "read_only": False},
                {"source": self._kmsg_path, "target": "/dev/kmsg", "read_only": False},
            ],
            "hide": ["/run", *self.cloud.hidden],
            "boot_id": self.boot_id,
            "init": ["/usr/bin/python3", "-IS", "/usr/lib/cloud-guest/init.py"],
        }

    def _live(self, spec):
        process = sandbox.start(spec, self.directory)
        self._process = process
        output = process.stdout.fileno()
        os.set_blocking(output, False)
        pidfd = os.pidfd_open(process.pid)
        with selectors.DefaultSelector() as selector:
            for descriptor in (output, self._kmsg, pidfd):
                selector.register(descriptor, selectors.EVENT_READ)
            ended = False
            while not ended:
                for key, _ in selector.select():
                    if key.fd == pidfd:
                        ended = True
                    elif key.fd == output and not self._take_output(output):
                        selector.unregister(output)
                    elif key.fd == self._kmsg:
                        self._take_kmsg()
        os.close(pidfd)
        process.wait()
        self._take_kmsg()
        self._take_output(output)
        process.stdout.close()
        shutil.rmtree(self._work, ignore_errors=True)
        how = self._power()
        if how is None:
            self._sandbox_trouble()
        elif not (how == "poweroff" and self.settings["faults"].get("no_power_line")):
            self.say(LAST_WORDS[how])
        self._ended(how)

    def _power(self):
        try:
            with open(os.path.join(self.control, "power"), encoding="utf-8") as file:
                return file.read() or None
        except OSError:
            return None

    def _sandbox_trouble(self):
        """The error message of a sandbox that could not start, from its standard error."""
        try:
            with open(os.path.join(self.directory, "sandbox.log"), encoding="utf-8", errors="replace") as file:
                text = file.read().strip()
        except OSError:
            return
        if text:
            self.say("Kernel panic - not syncing: " + text[-2000:])

    # power --------------------------------------------------------------------------------------------------

    def _press(self, action):
        self._ask_init(action)

    def advance(self, seconds):
        self._ask_init(f"advance:{seconds}")

    def drop_ssh(self):
        self._ask_init("drop-ssh")

    def _ask_init(self, what):
        if self.alive:
            os.write(self._button, what.encode() + b"\n")

    def close(self):
        os.close(self._kmsg)
        os.close(self._button)
        super().close()

    # console ------------------------------------------------------------------------------------------------

    def _take_kmsg(self):
        while True:
            try:
                data = os.read(self._kmsg, 65536)
            except BlockingIOError:
                return
            for line in data.decode("utf-8", "replace").splitlines():
                self.say(re.sub(r"^<\d+>", "", line))
