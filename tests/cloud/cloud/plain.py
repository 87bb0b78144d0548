"""Calls that do not go through moto's gate: the caller, the action, permissions, and answers in the service's
protocol."""
import json
import re
import time
import uuid
from xml.sax.saxutils import escape

from moto.iam.models import get_account_id_from
from moto.sts.models import sts_backends

from . import faults
from .calls import Call
from .wire import Refusal

SCOPE = re.compile(r"Credential=([^/]+)/[0-9]+/([^/]+)/")


class Plain(Call):
    """A call parsed from the request itself."""

    def __init__(self, environ, service, action, parameters, resource):
        scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        key, self.region = scope.groups() if scope else ("", "us-east-1")
        self.at = time.time()
        self.service, self.action, self.parameters, self.resource = service, action, parameters, resource
        self.key = key
        self.account = get_account_id_from(key)
        try:
            self.principal = sts_backends[self.account]["aws"].get_caller_identity(key, self.region)[1]
        except (KeyError, AttributeError):
            self.principal = f"arn:aws:iam::{self.account}:user/unknown"
        self.status = self.error = None


def judge(cloud, call):
    """Logs the call, and refuses it if a rule says so."""
    cloud.calls.add(call)
    try:
        cloud.permissions.check(call)
        cloud.permissions.judge(call)
        rule = cloud.faults.take(call, {"error"})
        if rule:
            error = rule.options.get("error", {})
            raise Refusal(error.get("code", "InternalError"), error.get("message", "An internal error has occurred"), int(error.get("http", 500)))
    except Refusal as refusal:
        call.status, call.error = refusal.http, refusal.code
        raise


def xml(start_response, refusal):
    """A refusal of S3."""
    body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>'
            f"<RequestId>{uuid.uuid4()}</RequestId></Error>").encode()
    start_response(f"{refusal.http} Refused", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def rest(start_response, status, value, code=None):
    """An answer of a service with a REST and JSON protocol."""
    body = json.dumps(value).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status} Answer", headers + ([("x-amzn-ErrorType", f"{code}:http://internal.amazon.com/coral/")] if code else []))
    return [body]
