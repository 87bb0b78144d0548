"""Rules that make the cloud misbehave or hold a state; added with POST /_cloud/faults, and used up by the calls
that match."""
import fnmatch
import itertools
import threading

# Applied when a call arrives.
CALL_KINDS = {"error", "deny", "throttle", "lose-answer", "hang", "hold-answer", "stale", "not-found-at-first"}
# Applied when a machine is created.
MACHINE_KINDS = {"pending-to-terminated", "wrong-host-key", "no-sshd", "drop-ssh", "ignore-power-button", "no-power-line", "slow-cloud-init"}
# Applied when an image or a snapshot is created.
CONTENT_KINDS = {"image-failed", "snapshot-error"}
# Applied when an instance refresh begins, and when a group launches.
GROUP_KINDS = {"refresh-fails", "refresh-replaces-nothing", "rollback-fails", "instances-unhealthy"}
# Applied when a parameter is set.
PARAMETER_KINDS = {"parameter-refused"}
# Applied when an operation begins that takes time.
HOLD_KINDS = {"hold"}
KINDS = CALL_KINDS | MACHINE_KINDS | CONTENT_KINDS | GROUP_KINDS | PARAMETER_KINDS | HOLD_KINDS
# Rules that apply to any number of calls unless `times` limits them.
LASTING_KINDS = {"deny", "stale", "not-found-at-first", "hold", "hold-answer", "drop-ssh"}
ALIASES = {
    "instance_type": "InstanceType", "image_id": "ImageId", "subnet_id": "SubnetId", "az": "Placement.AvailabilityZone",
    "availability_zone": "Placement.AvailabilityZone", "name": "Name", "market": "InstanceMarketOptions.MarketType", "region": "@region", "account": "@account",
}


class Rule:
    def __init__(self, number, fields):
        self.number = number
        self.kind = fields.pop("kind", "error" if "error" in fields else None)
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind {self.kind!r}; known: {', '.join(sorted(KINDS))}")
        actions = fields.pop("action", "RunInstances" if self.kind in MACHINE_KINDS else "*")
        self.actions = actions if isinstance(actions, list) else [actions]
        self.times = fields.pop("times", None if self.kind in LASTING_KINDS else 1)
        self.skip = fields.pop("skip", 0)
        self.match = fields.pop("match", {})
        self.region = fields.pop("region", None)
        self.options = fields
        self.hits = 0
        self.deleted = threading.Event()
        self._waiting = []  # functions to call when the rule is deleted
        self._lock = threading.Lock()

    def when_deleted(self, work, *arguments):
        """Calls `work` when this rule is deleted, or now if it already is."""
        with self._lock:
            if not self.deleted.is_set():
                self._waiting.append((work, arguments))
                return
        work(*arguments)

    def delete(self):
        with self._lock:
            self.deleted.set()
            waiting, self._waiting = self._waiting, []
        for work, arguments in waiting:
            work(*arguments)

    def fits(self, call):
        if not any(fnmatch.fnmatchcase(call.action, pattern) or fnmatch.fnmatchcase(f"{call.service}:{call.action}", pattern) for pattern in self.actions):
            return False
        if self.region and self.region != call.region:
            return False
        for name, wanted in self.match.items():
            values = call.values(ALIASES.get(name, name))
            patterns = wanted if isinstance(wanted, list) else [wanted]
            if not any(fnmatch.fnmatchcase(str(value), str(pattern)) for value in values for pattern in patterns):
                return False
        return True

    def as_json(self):
        return {"id": self.number, "kind": self.kind, "action": self.actions, "times": self.times, "skip": self.skip,
                "match": self.match, "hits": self.hits, **self.options}


class Faults:
    def __init__(self):
        self._rules = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, fields):
        with self._lock:
            rule = Rule(next(self._numbers), dict(fields))
            self._rules.append(rule)
            return rule

    def take(self, call, kinds):
        """The first rule of one of these kinds that matches the call; uses up one of its `times`."""
        with self._lock:
            for rule in self._rules:
                if rule.kind not in kinds or not rule.fits(call):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                if rule.times is not None:
                    if rule.times <= 0:
                        continue
                    rule.times -= 1
                rule.hits += 1
                return rule
        return None

    def take_all(self, call, kinds):
        """All matching rules of different kinds."""
        found = (self.take(call, {kind}) for kind in sorted(kinds))
        return {rule.kind: rule for rule in found if rule}

    def hold(self, call):
        """The rule that holds the operation of this call, if any."""
        return self.take(call, HOLD_KINDS) if call else None

    def clear(self, number=None):
        """Deletes one rule or all, and releases what they held."""
        with self._lock:
            gone = [rule for rule in self._rules if number is None or rule.number == number]
            self._rules = [rule for rule in self._rules if rule not in gone]
        for rule in gone:
            rule.delete()

    def list(self):
        with self._lock:
            return [rule.as_json() for rule in self._rules]
