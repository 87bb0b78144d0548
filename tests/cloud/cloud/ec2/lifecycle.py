"""The states of an instance, and their effects on its machine."""
import copy

from moto.core.utils import utcnow
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, StateReason

from ..wire import Refusal

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
USER_STOP = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
GUEST_STOP = ("Client.InstanceInitiatedShutdown", "Client.InstanceInitiatedShutdown: Instance initiated shutdown")
# Time until EC2 cuts the power of a guest that ignores its power button, as a multiple of the time of a stop.
PATIENCE = 4
# Time limit in seconds for a guest that is shutting down: enough for this machine under load.
GOING_DOWN = 300


def is_xen(instance):
    return INSTANCE_TYPES.get(instance.instance_type, {}).get("Hypervisor") == "xen"


class Lifecycle:
    """State transitions of instances. Callers hold the cloud's lock, except for the timeline and the machines: for
    them the lock is taken here."""

    def __init__(self, cloud):
        self.cloud = cloud
        self._moto_terminate = Instance.terminate

    def install(self):
        lifecycle = self
        Instance.start = lambda instance: lifecycle.start(instance)
        Instance.stop = lambda instance: lifecycle.stop(instance)
        Instance.terminate = lambda instance: lifecycle.terminate(instance)
        Instance.reboot = lambda instance: lifecycle.reboot(instance)

    def set(self, instance, name, reason=None):
        instance._state.name, instance._state.code = name, CODES[name]
        if reason:
            code, message = reason
            instance.state_reason = StateReason(message, code)
            instance._reason = f"User initiated ({utcnow().strftime('%Y-%m-%d %H:%M:%S GMT')})" if code == USER_STOP[0] else message
        elif name in ("pending", "running"):
            instance.state_reason, instance._reason = None, ""

    def show_address(self, instance, shown):
        nic = instance.nics[0]
        machine = self.cloud.machines[instance.id]
        nic.public_ip = machine.address if shown and instance.public_address else None
        nic.private_ip_address = machine.address
        nic.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": machine.address}]

    # launch -------------------------------------------------------------------------------------------------

    def launch(self, instance, root, settings, doom, hold):
        """Boots a new instance's machine; `doom` is the reason for which it is terminated while pending, if any,
        and `hold` the rule that keeps it pending."""
        machine = root.content.machine(self.cloud, instance.id, root, settings, self.went_down)
        machine.instance = instance
        machine.run = 0
        machine.after_down = []
        self.cloud.machines[instance.id] = machine
        self.set(instance, "pending")
        self.show_address(instance, True)
        delay = self.cloud.latency.of("instance_pending_to_running")
        if doom:
            self.cloud.timeline.after(delay, self._finish_terminate, instance, (doom["code"], doom["message"]), hold=hold)
        elif hold:
            hold.when_deleted(self._boot_held, machine, delay)
        else:
            self._boot(machine, delay)

    def _boot_held(self, machine, running_in):
        with self.cloud.lock:
            if machine.instance.state == "pending":
                self._boot(machine, running_in)

    def _boot(self, machine, running_in):
        flavour = machine.root.content.flavour
        row = {"al2023": "running_to_ssh_al2023", "rhel": "running_to_ssh_al2023", "debian": "running_to_ssh_debian"}.get(flavour, "running_to_ssh_ubuntu")
        machine.run += 1
        machine.boot(running_in + self.cloud.latency.of(row), self.cloud.latency.of("stop_request_to_guest_halted"))
        self.cloud.timeline.after(running_in, self._running, machine.instance, machine.run)

    def _running(self, instance, run):
        with self.cloud.lock:
            machine = self.cloud.machines[instance.id]
            if instance.state == "pending" and machine.run == run:
                self.set(instance, "running")

    # stop, start, reboot ------------------------------------------------------------------------------------

    def _asked(self, name):
        call = self.cloud.current
        return call is not None and str(call.parameters.get(name, "")).lower() == "true"

    def stop(self, instance):
        previous = copy.copy(instance._state)
        if instance.state in ("stopping", "stopped"):
            return previous
        if instance.state != "running":
            raise Refusal("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be stopped.")
        if getattr(instance, "one_time_spot", False):
            raise Refusal("UnsupportedOperation", f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot Instance request. "
                          "You can only stop Spot Instances associated with persistent Spot Instance requests.")
        self.set(instance, "stopping", USER_STOP)
        machine = self.cloud.machines[instance.id]
        if self._asked("SkipOsShutdown"):
            machine.kill()
            delay = self.cloud.latency.of("stop_skip_os_shutdown_to_stopped")
        else:
            machine.press("poweroff")
            delay = self.cloud.latency.of("stop_api_to_stopped")
        patience = PATIENCE * max(delay, 1.0) - delay if machine.settings["faults"].get("ignore_power_button") else GOING_DOWN
        self.cloud.timeline.after(delay, self._finish_stop, instance, patience, hold=self.cloud.faults.hold(self.cloud.current))
        return previous

    def _finish_stop(self, instance, patience, since=None):
        machine = self.cloud.machines[instance.id]
        if machine.alive:
            now = self.cloud.clock.now()
            since = now if since is None else since
            if now - since >= patience:
                machine.kill()
            self.cloud.timeline.after(0.1, self._finish_stop, instance, patience, since)
            return
        with self.cloud.lock:
            if instance.state == "stopping":
                self.set(instance, "stopped")
                self.show_address(instance, False)

    def start(self, instance):
        previous = copy.copy(instance._state)
        if instance.state in ("running", "pending"):
            return previous
        if instance.state != "stopped":
            raise Refusal("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be started.")
        self.set(instance, "pending")
        self.show_address(instance, True)
        machine, delay = self.cloud.machines[instance.id], self.cloud.latency.of("start_stopped_to_running")
        hold = self.cloud.faults.hold(self.cloud.current)
        if hold:
            hold.when_deleted(self._boot_held, machine, delay)
        else:
            self._boot(machine, delay)
        return previous

    def reboot(self, instance):
        if instance.state not in ("running", "pending"):
            raise Refusal("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be rebooted.")
        machine = self.cloud.machines[instance.id]
        if machine.alive:
            machine.press("reboot")
        else:
            self._boot(machine, 0.0)

    # terminate ----------------------------------------------------------------------------------------------

    def terminate(self, instance, reason=USER_STOP):
        previous = copy.copy(instance._state)
        if instance.state in ("shutting-down", "terminated"):
            return previous
        machine = self.cloud.machines[instance.id]
        was_stopped = instance.state == "stopped"
        self.set(instance, "shutting-down", reason)
        if self._asked("SkipOsShutdown"):
            machine.kill()
        else:
            machine.press("poweroff")
        row = "terminate_stopped_to_terminated" if was_stopped else "terminate_running_to_terminated"
        self.cloud.timeline.after(self.cloud.latency.of(row), self._finish_terminate, instance, reason, hold=self.cloud.faults.hold(self.cloud.current))
        self.cloud.images.instance_gone(instance.id)
        return previous

    def _finish_terminate(self, instance, reason):
        machine = self.cloud.machines[instance.id]
        machine.kill()
        machine.join(10)
        with self.cloud.lock:
            if instance.state == "terminated":
                return
            nics = [nic for nic in instance.nics.values() if nic.delete_on_termination]
            for nic in nics:
                nic.delete_on_termination = False
            self._moto_terminate(instance)
            self.set(instance, "terminated", reason)
            self.show_address(instance, False)
        machine.close()
        # Resources on the interface (a security group) are only free some time after EC2 reports `terminated`.
        self.cloud.timeline.after(self.cloud.latency.of("sg_delete_blocked_after_terminated"), self._drop_nics, instance, nics)
        self.cloud.collect()

    def _drop_nics(self, instance, nics):
        with self.cloud.lock:
            for nic in nics:
                instance.ec2_backend.enis.pop(nic.id, None)
            instance.security_groups = []

    # the guest's own doing ----------------------------------------------------------------------------------

    def went_down(self, machine, how):
        instance = machine.instance
        with self.cloud.lock:
            work, machine.after_down = machine.after_down, []
            for task in work:
                task()
            if instance.state not in ("running", "pending"):
                return
            if how == "reboot":
                self._boot(machine, 0.0)
            elif how == "poweroff" or (how == "halt" and is_xen(instance)):
                self._guest_stopped(instance)
            # To EC2 a guest that halted, or whose processes were killed, is still running.

    def _guest_stopped(self, instance):
        if instance.instance_initiated_shutdown_behavior == "terminate" or getattr(instance, "one_time_spot", False):
            self.cloud.current = None
            self.terminate(instance, GUEST_STOP)
            return
        self.set(instance, "stopping", GUEST_STOP)
        rest = self.cloud.latency.of("os_shutdown_to_stopped") - self.cloud.latency.of("stop_request_to_guest_halted")
        self.cloud.timeline.after(rest, self._finish_stop, instance, GOING_DOWN)
