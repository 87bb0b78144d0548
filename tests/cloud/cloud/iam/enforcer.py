"""The policies of callers, and the record of denied calls."""
import threading

from . import questions
from .document import Document

ASSUMED = ":assumed-role/"


class Enforcer:
    """Enforces policies. Callers without a policy here may do everything: a test's own preparations, and tests that
    don't use policies."""

    def __init__(self):
        self._keys = {}  # access key → Document
        self._roles = {}  # "account/role name" → {access key: Document}
        self._denied = []
        self._lock = threading.Lock()

    def put(self, key, policy, roles):
        """Sets the policy of an access key, and of the roles that it may assume, by ARN."""
        own = Document(policy)
        with self._lock:
            self._keys[key] = own
            for arn, document in roles.items():
                self._roles.setdefault(_role(arn), {})[key] = Document(document)

    def check(self, call):
        """The first question that no policy allows, or none; denials are recorded."""
        documents = self._documents(call)
        if documents is None:
            return None
        for question in questions.of(call):
            if not question.exists:
                continue
            if question.action == "sts:AssumeRole" and _role(question.resource) not in self._roles:
                # The manifest's own role: the caller's other policies must allow assuming it.
                continue
            decisions = [document.decide(question.action, question.resource, question.context) for document in documents]
            if not any(decision.allowed for decision in decisions):
                self._record(call, question, any(decision.explicit for decision in decisions))
                return question
        return None

    def _documents(self, call):
        if ASSUMED in call.principal:
            account, _, rest = call.principal.split(":", 4)[4].partition(":")
            found = self._roles.get(f"{account}/{rest.split('/')[1]}")
            if found:
                return list(found.values())
            # The manifest's own role has the policy of the key that assumed it.
            return list(self._keys.values()) or None
        return [self._keys[call.key]] if call.key in self._keys else None

    def _record(self, call, question, explicit):
        with self._lock:
            self._denied.append({"call": f"{call.service}:{call.action}", "action": question.action, "resource": question.resource, "context": dict(question.context),
                                 "explicit": explicit, "dry-run": call.dry_run, "principal": call.principal})

    def denied(self):
        with self._lock:
            return list(self._denied)


def _role(arn):
    parts = arn.split(":", 5)
    return f"{parts[4]}/{parts[5].rsplit('/', 1)[-1]}"
