"""A machine that is a QEMU process."""
import base64
import json
import os
import selectors
import subprocess
import threading
import time

from ..machine import Machine
from . import booted, command
from .qmp import Gone, Qmp

# QEMU's reasons of the event SHUTDOWN (qapi/run-state.json).
HOW = {"guest-shutdown": "poweroff", "guest-reset": "reboot"}


class VmMachine(Machine):
    qmp = None
    _linked = True

    @property
    def kind(self):
        return self.instance.instance_type

    def _prepare(self, _ssh_in, _shutdown_seconds):
        return ()

    def _live(self):
        """In a thread of its own: making the state of the base disk takes as long as a boot."""
        try:
            how = self._run()
        except Exception as error:  # noqa: BLE001, shown on the console; the cloud goes on
            self.say(f"Kernel panic - not syncing: {type(error).__name__}: {error}")
            how = None
        self._ended(how)

    def _run(self):
        content = self.root.content
        mac, saved = command.mac_of(self.id), None
        if len(content.layers) == 1 and self.root.upper and self.run == 1:
            saved = booted.saved(content.layers[0], content.hardware)
        if saved:
            mac = booted.MAC
            self.root.rebase((saved.disk, *content.layers))
        self._write_metadata(mac)
        self.qmp = Qmp()
        process = command.start(command.command(self, self.root.upper, content.hardware, mac, saved and saved.memory), self)
        self._process = process
        self.root.switch = self._switch
        # Commands wait for their answers, which this thread reads.
        threading.Thread(target=self._set_up, args=(saved is not None,), name=self.id + "-up", daemon=True).start()
        try:
            return self._watch(process)
        finally:
            self.root.switch = None
            self.qmp.close()
            process.kill()
            process.wait()
            self._take_output(process.stdout.fileno())
            process.stdout.close()

    def _watch(self, process):
        """How the guest went down; None when QEMU ended by itself."""
        output, how = process.stdout.fileno(), None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            selector.register(self.qmp.ours, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == output:
                        if not self._take_output(output):
                            selector.unregister(output)
                        continue
                    events = self.qmp.receive()
                    if events is None:
                        self._say_why(process)
                        return None
                    for event in events:
                        if event["event"] == "SHUTDOWN":
                            how = HOW.get(event["data"]["reason"])
                        if event["event"] == "STOP" and how:
                            return how

    def _say_why(self, process):
        if process.poll() not in (None, -9):
            with open(os.path.join(self.directory, "qemu.log"), encoding="utf-8", errors="replace") as file:
                self.say("QEMU: " + file.read()[-2000:].strip())

    def _set_up(self, resumed):
        try:
            if resumed:
                while self.qmp.ask("query-status")["status"] == "inmigrate":
                    time.sleep(0.05)
                # The saved machine has seen the size of the base disk.
                self.qmp.ask("block_resize", device="d0", size=self._bytes())
                self.qmp.ask("cont")
            if not self._linked:
                self.drop_ssh()
        except Gone:
            pass

    def _bytes(self):
        shown = subprocess.run(["qemu-img", "info", "-U", "--output=json", self.root.upper], capture_output=True, check=True)
        return json.loads(shown.stdout)["virtual-size"]

    def _switch(self, path):
        self.qmp.ask("blockdev-snapshot-sync", device="d0", format="qcow2", **{"snapshot-file": path})
        return True

    # metadata -----------------------------------------------------------------------------------------------

    def _write_metadata(self, mac):
        name = f"{self.hostname}.ec2.internal"
        zone = self.instance.placement.zone
        facts = {
            "ami-id": self.instance.image_id, "ami-launch-index": "0", "instance-id": self.id, "instance-type": self.kind,
            "hostname": name, "local-hostname": name, "local-ipv4": command.GUEST, "mac": mac, "reservation-id": "r-0123456789abcdef0", "security-groups": "default",
            "placement": {"availability-zone": zone, "region": zone[:-1]},
            "services": {"domain": "amazonaws.com", "partition": "aws"},
            "network": {"interfaces": {"macs": {mac: {"device-number": "0", "interface-id": "eni-0123456789abcdef0", "local-ipv4s": command.GUEST, "mac": mac,
                                                      "subnet-ipv4-cidr-block": "169.254.169.0/24", "local-hostname": name}}}},
        }
        keys = self.settings["authorized_keys"]
        if keys:
            facts["public-keys"] = {str(at): {"name": key.split()[-1], "openssh-key": key} for at, key in enumerate(keys)}
        document = {"instanceId": self.id, "region": zone[:-1], "availabilityZone": zone, "accountId": self.instance.owner_id, "architecture": "x86_64", "instanceType": self.kind,
                    "imageId": self.instance.image_id}
        token = base64.b64encode(os.urandom(24)).decode()
        with open(os.path.join(self.directory, "imds.json"), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump({"token": token, "user-data": self.settings["user_data"], "meta-data": facts, "document": document}, file)

    # power --------------------------------------------------------------------------------------------------

    def _press(self, action):
        if action == "reboot":
            # systemd: three keys, ctrl-alt-del.target.
            self.qmp.tell("send-key", keys=[{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")])
        elif not self.settings["faults"].get("ignore_power_button"):
            self.qmp.tell("system_powerdown")

    def drop_ssh(self):
        """Pulls the network cable."""
        self._linked = False
        if self.qmp:
            self.qmp.tell("set_link", name="n0", up=False)
