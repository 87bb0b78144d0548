"""The machine of one instance: its sandbox, console and power."""
import errno
import json
import os
import random
import re
import shutil
import selectors
import socket
import threading
import time
import uuid

from . import sandbox

CONSOLE_BYTES = 64 * 1024
CONTROL = "/run/cloud-guest"
BOOTED = b"Cloud-init v."
LAST_WORDS = {"poweroff": "reboot: Power down", "halt": "reboot: System halted", "reboot": "reboot: Restarting system"}


class Machine:
    """The machine of one instance. `settings`: user, authorized_keys, plan, faults. `went_down(machine, how)` is
    called when the guest has ended, with poweroff, halt, reboot, or None when it was killed."""

    def __init__(self, cloud, instance_id, root, settings, went_down):
        self.cloud = cloud
        self.id = instance_id
        self.root = root
        self.settings = settings
        self.went_down = went_down
        self.address = free_address()
        self.hostname = "ip-" + self.address.replace(".", "-")
        self.directory = os.path.join(cloud.state, "i", instance_id)
        self.control = os.path.join(self.directory, "c")
        os.makedirs(self.control, mode=0o700)
        self.boot_id = None
        self._console = bytearray()
        self._posted = b""
        self._console_lock = threading.Lock()
        self._process = None
        self._thread = None
        self._booted = time.time()
        self._kmsg_path = os.path.join(self.directory, "kmsg")
        os.mkfifo(self._kmsg_path, 0o600)
        os.mkfifo(os.path.join(self.control, "button"), 0o600)
        # Opened for reading and writing, so that a writer in the guest never blocks or gets an error.
        self._kmsg = os.open(self._kmsg_path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._button = os.open(os.path.join(self.control, "button"), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._work = None
        self._pressed = None

    @property
    def alive(self):
        thread = self._thread
        return thread is not None and thread.is_alive()

    # boot ---------------------------------------------------------------------------------------------------

    def boot(self, ssh_in, shutdown_seconds):
        """Starts the guest; its sshd starts no sooner than `ssh_in` seconds from now."""
        self._booted = time.time()
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
        self._thread = threading.Thread(target=self._live, args=(self._spec(),), name=self.id, daemon=True)
        self._thread.start()

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
        self._process = None
        shutil.rmtree(self._work, ignore_errors=True)
        how = self._power()
        if how is None:
            self._sandbox_trouble()
        elif not (how == "poweroff" and self.settings["faults"].get("no_power_line")):
            self.say(LAST_WORDS[how])
        if self._pressed:
            self.cloud.latency.took("guest_down", time.time() - self._pressed)
        self._thread = None
        self.went_down(self, how)

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

    def press(self, action):
        """Presses the power button, which the guest may ignore."""
        if self.alive:
            self._pressed = time.time()
            self._ask_init(action)

    def advance(self, seconds):
        """Moves the guest's timers forward."""
        self._ask_init(f"advance:{seconds}")

    def drop_ssh(self):
        """Ends the guest's sshd and all its connections."""
        self._ask_init("drop-ssh")

    def _ask_init(self, what):
        if self.alive:
            os.write(self._button, what.encode() + b"\n")

    def kill(self):
        process = self._process
        if process is not None:
            process.kill()

    def join(self, seconds):
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def close(self):
        os.close(self._kmsg)
        os.close(self._button)
        shutil.rmtree(self.directory, ignore_errors=True)

    # console ------------------------------------------------------------------------------------------------

    def say(self, text):
        self._append(f"[{time.time() - self._booted:12.6f}] {text}\n".encode())

    def console(self):
        with self._console_lock:
            return bytes(self._console)

    def posted(self):
        """The console that EC2 returns without `latest`: the output of the boot."""
        with self._console_lock:
            return self._posted

    def _append(self, data):
        with self._console_lock:
            self._console += data
            del self._console[:-CONSOLE_BYTES]
            if BOOTED in data:
                self._posted = bytes(self._console)

    def _take_output(self, descriptor):
        while True:
            try:
                data = os.read(descriptor, 65536)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._append(data)

    def _take_kmsg(self):
        while True:
            try:
                data = os.read(self._kmsg, 65536)
            except BlockingIOError:
                return
            for line in data.decode("utf-8", "replace").splitlines():
                self.say(re.sub(r"^<\d+>", "", line))


def free_address():
    """An address of 127/8 on which nothing listens for SSH; many clouds may choose at once."""
    for _ in range(100):
        address = f"127.{random.randint(2, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, 22))
                return address
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
    raise SystemExit("every address of 127/8 has a listener on port 22: stop this machine's own sshd, or give it a ListenAddress")
