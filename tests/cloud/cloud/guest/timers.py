"""Transient units of the guest: commands that `systemd-run` starts now or later, and a scheduled shutdown."""
import os
import subprocess
import time

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


class Timers:
    def __init__(self, shutdown, log):
        self._shutdown = shutdown
        self._log = log
        self._waiting = {}  # unit → (due, argv)
        self._services = {}  # unit → Popen
        self._scheduled = None  # (due, action)
        self._count = 0
        self._moved = 0.0  # seconds by which a test has moved the clock forward

    def _now(self):
        return time.monotonic() + self._moved

    def advance(self, seconds):
        self._moved += seconds

    def next_due(self):
        """When the next timer fires, on the machine's own clock."""
        due = [entry[0] for entry in self._waiting.values()]
        if self._scheduled:
            due.append(self._scheduled[0])
        return min(due) - self._moved if due else None

    def fire(self):
        now = self._now()
        for unit, (due, argv) in list(self._waiting.items()):
            if due <= now:
                del self._waiting[unit]
                self._start(unit, argv)
        if self._scheduled and self._scheduled[0] <= now:
            action = self._scheduled[1]
            self._scheduled = None
            self._shutdown(action)

    def shutdown(self, delay, action):
        self._scheduled = (self._now() + delay, action)

    def _start(self, unit, argv, environment=None):
        self._log(f"systemd[1]: Started {unit}.service - {' '.join(argv)[:60]}.")
        try:
            self._services[unit] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True, env={**ENVIRONMENT, **(environment or {})}, cwd="/")
        except OSError as error:
            self._log(f"systemd[1]: {unit}.service: Failed to execute {argv[0]}: {error.strerror}")

    def request(self, verb, request):
        if verb == "run":
            return self._run(request)
        if verb == "stop":
            return self._stop(request["units"])
        if verb == "active":
            active = all(self._is_active(unit) for unit in request["units"])
            return {"status": 0 if active else 3, "states": ["active" if self._is_active(u) else "inactive" for u in request["units"]]}
        if verb == "timers":
            now = self._now()
            return {"status": 0, "timers": [[unit, round(due - now, 1), argv] for unit, (due, argv) in self._waiting.items()]}
        if verb == "cancel-shutdown":
            self._scheduled = None
            return {"status": 0}
        return {"status": 1, "error": f"unknown request {verb}"}

    def _run(self, request):
        self._count += 1
        unit = bare(request.get("unit") or f"run-u{self._count}")
        if unit in self._waiting or (unit in self._services and self._services[unit].poll() is None):
            return {"status": 1, "error": f"Failed to start transient timer unit: Unit {unit}.timer was already loaded or has a fragment file."}
        if request.get("delay") is None:
            self._start(unit, request["argv"], request.get("environment"))
        else:
            self._waiting[unit] = (self._now() + float(request["delay"]), request["argv"])
        return {"status": 0, "unit": unit}

    def _stop(self, units):
        missing = []
        for name in units:
            unit = bare(name)
            found = self._waiting.pop(unit, None) is not None
            process = self._services.pop(unit, None)
            if process is not None:
                found = True
                if process.poll() is None and not name.endswith(".timer"):
                    try:
                        os.killpg(process.pid, 15)
                    except ProcessLookupError:
                        pass
            if not found:
                missing.append(name)
        if missing:
            return {"status": 5, "missing": missing}
        return {"status": 0}

    def _is_active(self, name):
        unit = bare(name)
        if unit in self._waiting:
            return not name.endswith(".service")
        process = self._services.get(unit)
        return process is not None and process.poll() is None


def bare(unit):
    for suffix in (".service", ".timer"):
        if unit.endswith(suffix):
            return unit[: -len(suffix)]
    return unit
