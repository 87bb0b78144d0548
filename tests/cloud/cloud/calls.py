"""A call of a client, and the log of all calls."""
import json
import threading
import time

SECRETS = {"UserData", "PublicKeyMaterial", "WebIdentityToken", "SecretAccessKey", "SessionToken"}


class Call:
    def __init__(self, response):
        self.at = time.time()
        self.service = response.service_name
        self.action = response._get_action() or ""
        self.region = response.region
        self.account = response.current_account
        self.key = response.access_key
        self.parameters = parameters(response)
        self.principal = principal(response)
        self.status = None
        self.error = None

    @property
    def dry_run(self):
        return str(self.parameters.get("DryRun", "")).lower() == "true"

    def values(self, path):
        """The values at a dotted path of the parameters; lists are traversed. `@region` is the call's region."""
        if path in ("@region", "@account"):
            return [getattr(self, path[1:])]
        found = [self.parameters]
        for key in path.split("."):
            found = [value for item in found for value in _step(item, key)]
        return [item for value in found for item in (value if isinstance(value, list) else [value])]

    def as_json(self):
        return {"time": self.at, "service": self.service, "action": self.action, "region": self.region, "account": self.account,
                "status": self.status, "error": self.error, "parameters": clean(self.parameters)}


def _step(item, key):
    if isinstance(item, list):
        return [value for entry in item for value in _step(entry, key)]
    if isinstance(item, dict) and key in item:
        return [item[key]]
    return []


def clean(value, key=""):
    if key in SECRETS:
        return "<hidden>"
    if isinstance(value, dict):
        hidden = value.get("Type") == "SecureString"
        return {name: ("<hidden>" if hidden and name == "Value" else clean(entry, name)) for name, entry in value.items()}
    if isinstance(value, list):
        return [clean(entry, key) for entry in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)


def parameters(response):
    """The call's parameters, without its headers, which moto returns instead if there are none."""
    if response.automated_parameter_parsing:
        return dict(response.params)
    if response.headers.get("X-Amz-Target"):
        try:
            return json.loads(response.body or "{}")
        except ValueError:
            return {}
    return {name: value[0] for name, value in response.querystring.items() if name in response.normalized_request.values}


def principal(response):
    """The caller's ARN, as in the answer of GetCallerIdentity."""
    from moto.sts.models import sts_backends
    try:
        return sts_backends[response.current_account][response.partition].get_caller_identity(response.access_key, response.region)[1]
    except (KeyError, AttributeError):
        return f"arn:aws:iam::{response.current_account}:user/unknown"


class Log:
    def __init__(self):
        self._calls = []
        self._lock = threading.Lock()

    def add(self, call):
        with self._lock:
            self._calls.append(call)

    def list(self):
        with self._lock:
            return [call.as_json() for call in self._calls]

    def clear(self):
        with self._lock:
            self._calls.clear()
