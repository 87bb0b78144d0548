"""QEMU's control socket (QMP): one JSON object a line; answers carry the number of their command, events none."""
import itertools
import json
import socket
import threading


class Gone(Exception):
    """QEMU has ended."""


class Qmp:
    """`receive` is called by one thread, `ask` by any other."""

    def __init__(self):
        # QEMU inherits its end, so that no path is needed.
        self.ours, self.theirs = socket.socketpair()
        self._numbers = itertools.count(1)
        self._waiting = {}  # number → [event, answer]
        self._lock = threading.Lock()
        self._rest = b""
        self._ended = False
        self._send({"execute": "qmp_capabilities"})

    def receive(self):
        """The events that have arrived; None at the end."""
        try:
            data = self.ours.recv(65536)
        except OSError:
            data = b""
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = []
        for line in lines:
            message = json.loads(line) if line.strip() else {}
            if "event" in message:
                events.append(message)
                continue
            with self._lock:
                waiting = self._waiting.pop(message.get("id"), None)
            if waiting:
                waiting[1] = message
                waiting[0].set()
        return events

    def ask(self, command, **arguments):
        """The command's answer; waits for it."""
        waiting = [threading.Event(), None]
        number = next(self._numbers)
        with self._lock:
            if self._ended:
                raise Gone(command)
            self._waiting[number] = waiting
        self._send({"execute": command, "id": number, **({"arguments": arguments} if arguments else {})})
        waiting[0].wait()
        if waiting[1] is None:
            raise Gone(command)
        if "error" in waiting[1]:
            raise RuntimeError(f"{command}: {waiting[1]['error']['desc']}")
        return waiting[1]["return"]

    def tell(self, command, **arguments):
        """Sends a command without waiting for its answer."""
        try:
            self._send({"execute": command, **({"arguments": arguments} if arguments else {})})
        except OSError:
            pass

    def _send(self, message):
        self.ours.sendall(json.dumps(message).encode() + b"\n")

    def close(self):
        """Ends the commands that wait."""
        with self._lock:
            self._ended = True
            waiting = list(self._waiting.values())
            self._waiting.clear()
        for event, _ in waiting:
            event.set()
        self.ours.close()
