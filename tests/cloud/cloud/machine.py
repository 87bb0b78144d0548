"""The machine of an instance, as the cloud sees it: an address with SSH, a serial console, power. What runs it is in the
subclasses: a sandbox (sandbox_machine.py) or QEMU (vm)."""
import errno
import os
import random
import shutil
import socket
import threading
import time

CONSOLE_BYTES = 64 * 1024
BOOTED = b"Cloud-init v."


class Machine:
    """`settings`: user, authorized_keys, user_data, plan, faults. `went_down(machine, how)` is called when the guest has
    ended, with poweroff, halt, reboot, or None when it was killed."""

    def __init__(self, cloud, instance_id, root, settings, went_down):
        self.cloud = cloud
        self.id = instance_id
        self.root = root
        self.settings = settings
        self.went_down = went_down
        self.address = free_address()
        self.hostname = "ip-" + self.address.replace(".", "-")
        self.directory = os.path.join(cloud.state, "i", instance_id)
        os.makedirs(self.directory, mode=0o700)
        self.boot_id = None
        self._console = bytearray()
        self._posted = b""
        self._console_lock = threading.Lock()
        self._process = None
        self._thread = None
        self._booted = time.time()
        self._pressed = None

    @property
    def alive(self):
        thread = self._thread
        return thread is not None and thread.is_alive()

    def boot(self, ssh_in, shutdown_seconds):
        """Starts the guest; its sshd starts no sooner than `ssh_in` seconds from now, if that can be had."""
        self._booted = time.time()
        # The kernel ends the guest with the thread that started it.
        self._thread = threading.Thread(target=self._live, args=self._prepare(ssh_in, shutdown_seconds), name=self.id, daemon=True)
        self._thread.start()

    def _prepare(self, ssh_in, shutdown_seconds):
        """What `_live` is called with."""
        raise NotImplementedError

    def _live(self, *prepared):
        """Runs the guest to its end, and calls `_ended`."""
        raise NotImplementedError

    def _ended(self, how):
        if self._pressed:
            self.cloud.latency.took("guest_down", time.time() - self._pressed)
        self._process = None
        self._thread = None
        self.went_down(self, how)

    # power --------------------------------------------------------------------------------------------------

    def press(self, action):
        """Presses the power button, which the guest may ignore."""
        if self.alive:
            self._pressed = time.time()
            self._press(action)

    def _press(self, action):
        raise NotImplementedError

    def advance(self, seconds):
        """Moves the guest's timers forward, where that is possible."""

    def drop_ssh(self):
        """Ends all connections to the guest for good."""
        raise NotImplementedError

    def kill(self):
        process = self._process
        if process is not None:
            process.kill()

    def join(self, seconds):
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def close(self):
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
        """Takes what the guest printed; false at its end."""
        while True:
            try:
                data = os.read(descriptor, 65536)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._append(data)


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
