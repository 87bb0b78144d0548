"""The init of an instance: boots the guest, runs sshd, runs transient timers, and shuts the machine down.

It replaces kernel messages, systemd and the ACPI power button. Its interface to the cloud is what a real machine has:
standard output (the serial console), the button FIFO, and the file `power`, which says how the guest went down. The
small commands of `shims` talk to it over a socket in /run.
"""
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cloudinit  # noqa: E402
from timers import Timers  # noqa: E402

CONTROL = "/run/cloud-guest"
SOCKET = CONTROL + "/init.sock"
POWER = ("poweroff", "halt", "reboot")


class Init:
    def __init__(self):
        with open(CONTROL + "/boot.json", encoding="utf-8") as file:
            self.boot = json.load(file)
        self.faults = self.boot.get("faults", {})
        self.timers = Timers(self.shutdown_from_timer, self.log)
        self.sshd = None
        self.frozen = False
        self.going_down = None

    def log(self, text):
        """Writes a line to the serial console, with a timestamp like the kernel's."""
        since = time.time() - self.boot["booted"]
        sys.stdout.write(f"[{since:12.6f}] {text}\n")
        sys.stdout.flush()

    # boot ---------------------------------------------------------------------------------------------------

    def start(self):
        os.makedirs("/run/systemd/system", exist_ok=True)
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        os.makedirs("/run/lock", exist_ok=True)
        os.chmod("/run", 0o755)
        self.log("Linux version " + os.uname().release)
        self.log(f"systemd[1]: Hostname set to <{self.boot['hostname']}>.")
        cloudinit.prepare_system(self.boot)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(SOCKET):
            os.unlink(SOCKET)
        self.listener.bind(SOCKET)
        os.chmod(SOCKET, 0o600)
        self.listener.listen(16)
        # Opened in both directions, so that the FIFO never reports end of file.
        self.button = os.open(CONTROL + "/button", os.O_RDWR | os.O_NONBLOCK)
        wake_read, self.wake = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self.wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: None)
        self.wake_read = wake_read
        self.booter = os.fork()
        if self.booter == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            status = 1
            try:
                cloudinit.early(self.boot, self.log)
                status = 0
            finally:
                sys.stdout.flush()
                os._exit(status)

    def start_sshd(self):
        if self.faults.get("no_sshd") or not os.access("/usr/sbin/sshd", os.X_OK):
            self.log("systemd[1]: Failed to start ssh.service - OpenBSD Secure Shell server.")
            return
        self.sshd = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-o", f"ListenAddress={self.boot['address']}", "-o", "PidFile=/run/sshd.pid"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open("/run/sshd.log", "ab"), start_new_session=True,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})
        self.log("systemd[1]: Started ssh.service - OpenBSD Secure Shell server.")

    def finish_boot(self):
        """The work of cloud-init after sshd is up: user scripts and runcmd."""
        if os.fork() == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            try:
                cloudinit.final(self.boot, self.log)
            finally:
                sys.stdout.flush()
                os._exit(0)

    # main loop ----------------------------------------------------------------------------------------------

    def run(self):
        self.start()
        ssh_due = None
        while self.going_down is None:
            now = time.monotonic()
            due = [self.timers.next_due()]
            if ssh_due is not None:
                due.append(ssh_due)
            due = [at for at in due if at is not None]
            timeout = max(0.0, min(due) - now) if due else None
            ready, _, _ = select.select([self.listener, self.button, self.wake_read], [], [], timeout)
            if self.listener in ready:
                self.serve()
            if self.button in ready:
                self.pressed(os.read(self.button, 4096).decode())
            if self.wake_read in ready:
                os.read(self.wake_read, 4096)
                if self.reap():
                    ssh_due = time.monotonic() + max(0.0, self.boot["ssh_at"] - time.time())
            self.timers.fire()
            if ssh_due is not None and time.monotonic() >= ssh_due:
                ssh_due = None
                self.start_sshd()
                self.finish_boot()
        self.power_down()

    def reap(self):
        """Reaps dead processes; true when the early part of the boot has ended."""
        booted = False
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return booted
            if pid == 0:
                return booted
            if pid == self.booter:
                booted = True

    def serve(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(60)
            try:
                request = json.loads(connection.makefile().readline())
                answer = self.request(request)
            except (OSError, ValueError, KeyError, TypeError) as error:
                answer = {"status": 1, "error": str(error)}
            try:
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                pass

    def request(self, request):
        verb = request["verb"]
        if verb == "power":
            delay = float(request.get("delay", 0))
            action = request["action"]
            if action not in POWER:
                raise ValueError(f"unknown action {action}")
            if delay > 0:
                self.timers.shutdown(delay, action)
            else:
                self.go_down(action)
            return {"status": 0}
        if verb == "freeze":
            if self.frozen == request["freeze"]:
                return {"status": 1, "error": "Device or resource busy" if self.frozen else "Invalid argument"}
            self.frozen = request["freeze"]
            return {"status": 0}
        return self.timers.request(verb, request)

    def pressed(self, text):
        for action in text.split():
            if action in POWER and not self.faults.get("ignore_power_button"):
                self.log("systemd-logind[512]: Power key pressed short.")
                self.go_down(action)
            elif action == "drop-ssh":
                subprocess.run(["/usr/bin/pkill", "-KILL", "-x", "sshd"], check=False)
                self.sshd = None
            elif action.startswith("advance:"):
                self.timers.advance(float(action.removeprefix("advance:")))

    def shutdown_from_timer(self, action):
        self.go_down(action)

    # down ---------------------------------------------------------------------------------------------------

    def go_down(self, action):
        if self.going_down is None:
            self.going_down = action

    def power_down(self):
        """Stops everything and exits; the cloud writes the kernel's last line once the disk is quiet."""
        started = time.monotonic()
        target = self.going_down
        self.log("systemd[1]: Stopping ssh.service - OpenBSD Secure Shell server...")
        # Time for the answer to the command that requested it, as in a login session.
        time.sleep(0.05)
        for number, grace in ((signal.SIGTERM, 0.6), (signal.SIGKILL, 0.5)):
            if not others():
                break
            # All processes except the caller and PID 1 of the PID namespace (kill(2)).
            os.kill(-1, number)
            end = time.monotonic() + grace
            while others() and time.monotonic() < end:
                self.reap()
                time.sleep(0.01)
        os.sync()
        left = self.boot.get("shutdown_seconds", 0) - (time.monotonic() - started)
        if left > 0 and target != "reboot":
            time.sleep(left)
        self.log(f"systemd[1]: Reached target {target}.target - System {target.capitalize()}.")
        with open(CONTROL + "/power", "w", encoding="utf-8") as file:
            file.write(target)


def others():
    """The guest's processes except this one and PID 1, which may be this one or the sandbox's."""
    return [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())]


if __name__ == "__main__":
    Init().run()
