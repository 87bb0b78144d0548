"""The path of every call to moto and back: log, latency, throttling, permissions, faults, one lock."""
import re
import sys
import threading
import time
import traceback

from moto.core.responses import BaseResponse

from . import faults, permissions, wire
from .ec2 import limits, regions
from .wire import Refusal

IDS = re.compile(r"\b(?:i|ami|snap|vol|sg|eni|key|lt)-[0-9a-f]{8,17}\b")
CREATING = re.compile(r"(Create|Run|Register|Copy|Import)")
NOT_FOUND = {"i": "InvalidInstanceID.NotFound", "ami": "InvalidAMIID.NotFound", "snap": "InvalidSnapshot.NotFound", "vol": "InvalidVolume.NotFound",
             "sg": "InvalidGroup.NotFound", "eni": "InvalidNetworkInterfaceID.NotFound", "key": "InvalidKeyPair.NotFound",
             "lt": "InvalidLaunchTemplateId.NotFoundException"}
NOUNS = {"i": "instance", "ami": "image", "snap": "snapshot", "vol": "volume", "sg": "security group", "eni": "networkInterface", "key": "key pair", "lt": "launch template"}


class Gate:
    def __init__(self, cloud):
        self.cloud = cloud
        self._seen = {}  # request → (answer served, newer answer pending, since)
        self._seen_lock = threading.Lock()

    def install(self):
        moto_call_action = BaseResponse.call_action
        gate = self

        def call_action(response):
            return gate.handle(response, moto_call_action)

        BaseResponse.call_action = call_action

    def handle(self, response, call_moto):
        if not response.service_name:
            return call_moto(response)
        from .calls import Call
        with self.cloud.lock:
            call = Call(response)
        self.cloud.calls.add(call)
        try:
            answer = self._answer(call, response, call_moto)
        except Refusal as refusal:
            call.error = refusal.code
            answer = wire.error(call.service, refusal)
        except Exception as error:  # a defect or a gap of the test cloud: it must show up in the client's report
            traceback.print_exc(file=sys.stderr)
            call.error = "TestCloudDefect"
            answer = wire.error(call.service, Refusal(call.error, f"{call.action}: {type(error).__name__}: {error}"))
        call.status = int(answer[0])
        if call.error is None and call.status >= 400:
            found = re.search(r"<Code>([^<]+)</Code>", str(answer[2]))
            call.error = found.group(1) if found else None
        return answer

    def _answer(self, call, response, call_moto):
        time.sleep(self.cloud.latency.call(call.service, call.action))
        self.cloud.throttle.take(call)
        regions.check(call)
        self.cloud.permissions.check(call)
        rule = self.cloud.faults.take(call, faults.CALL_KINDS - {"stale", "not-found-at-first"})
        if rule and rule.kind == "error":
            error = rule.options.get("error", {})
            raise Refusal(error.get("code", "InternalError"), error.get("message", "An internal error has occurred"), int(error.get("http", 500)))
        if rule and rule.kind == "deny":
            raise permissions.refusal(call)
        if rule and rule.kind == "throttle":
            from .throttle import refusal
            raise refusal(call)
        if rule and rule.kind == "hold-answer":
            rule.deleted.wait()
        if rule and rule.kind == "hang":
            rule.deleted.wait(float(rule.options.get("seconds", 60)))
            raise Refusal("ServiceUnavailable", "The service is unavailable. Please try again shortly.", 504)
        hidden = self.cloud.faults.take(call, {"not-found-at-first"})
        if hidden:
            self._hide(call, float(hidden.options.get("seconds", 1)))
        if call.service == "ec2":
            limits.check(call)
        with self.cloud.lock:
            self.cloud.seeds.ensure(call.account, call.region, call.service)
            self.cloud.current = call
            self.cloud.permissions.judge(call)
            if call.dry_run and call.action == "DescribeInstanceTypes":
                # Moto would list a thousand types.
                raise Refusal("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
            answer = call_moto(response)
        if CREATING.match(call.action):
            now = self.cloud.clock.now()
            for identifier in IDS.findall(str(answer[2])):
                self.cloud.created.setdefault(identifier, now)
        if rule and rule.kind == "lose-answer":
            if rule.options.get("http"):
                raise Refusal("InternalError", "An internal error has occurred", int(rule.options["http"]))
            response.normalized_request.environ["cloud.drop"] = True
            return answer
        return self._aged(call, answer)

    def _hide(self, call, seconds):
        """Hides resources younger than a rule's age from all calls."""
        for identifier in IDS.findall(str(call.parameters)):
            born = self.cloud.created.get(identifier)
            if born is not None and self.cloud.clock.now() - born < seconds:
                kind = identifier.split("-")[0]
                raise Refusal(NOT_FOUND[kind], f"The {NOUNS[kind]} ID '{identifier}' does not exist")

    def _aged(self, call, answer):
        """Delays changes in the answers of Describe calls, if a rule or the latency profile says so."""
        if not call.action.startswith("Describe") or int(answer[0]) >= 400:
            return answer
        rule = self.cloud.faults.take(call, {"stale"})
        lag = float(rule.options.get("seconds", 1)) if rule else self.cloud.latency.of("describe_lag")
        if lag <= 0:
            return answer
        key = (call.account, call.region, call.action, str(sorted(call.parameters.items(), key=str)))
        with self._seen_lock:
            if key not in self._seen:
                self._seen[key] = [answer, None, None]
                return answer
            served, newer, since = self._seen[key]
            if _same(served, answer):
                self._seen[key] = [answer, None, None]
                return answer
            if newer is None or since is None:
                self._seen[key][1:] = [answer, self.cloud.clock.now()]
                return served
            if self.cloud.clock.now() - since < lag:
                return served
            self._seen[key] = [answer, None, None]
            return answer


def _same(one, other):
    strip = re.compile(r"<requestId>[^<]*</requestId>|<RequestId>[^<]*</RequestId>")
    return strip.sub("", str(one[2])) == strip.sub("", str(other[2]))
