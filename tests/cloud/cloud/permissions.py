"""Denied calls: by a test's rule, or by the caller's policies; and the message that STS DecodeAuthorizationMessage
decodes."""
import base64
import fnmatch
import json
import threading
import zlib

from .iam.enforcer import Enforcer
from .wire import Refusal

RESOURCES = {
    "RunInstances": "instance/*", "CreateImage": "image/*", "RegisterImage": "image/*", "CopyImage": "image/*", "CreateSnapshot": "snapshot/*",
    "CreateSnapshots": "snapshot/*", "CopySnapshot": "snapshot/*", "CreateSecurityGroup": "security-group/*", "ImportKeyPair": "key-pair/*",
    "CreateKeyPair": "key-pair/*",
}
NAMED = {
    "InstanceId": "instance", "InstanceIds": "instance", "ImageId": "image", "SnapshotId": "snapshot", "GroupId": "security-group",
    "KeyName": "key-pair", "VolumeId": "volume", "NetworkInterfaceId": "network-interface",
    "LaunchTemplateId": "launch-template",
}


class Permissions:
    """`deny` holds patterns of `service:Action`, which no policy may allow. Everything else depends on the caller's
    policy, if it has one."""

    def __init__(self):
        self._deny = []
        self.policies = Enforcer()
        self._lock = threading.Lock()

    def set(self, patterns):
        with self._lock:
            self._deny = list(patterns)

    def list(self):
        return list(self._deny)

    def check(self, call):
        name = f"{call.service}:{call.action}"
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self._deny):
            raise refusal(call)

    def judge(self, call):
        """Checks a call against the caller's policy; moto's lock is held, since its tags are read."""
        question = self.policies.check(call)
        if question is not None:
            raise refusal(call, question.action, question.resource)


def refusal(call, name=None, where=None):
    """The service's refusal of a call that no policy allows; `name` is the missing action if it is not the call's
    own."""
    name = name or f"{call.service}:{call.action}"
    where = where or resource(call)
    because = f"User: {call.principal} is not authorized to perform: {name} on resource: {where} because no identity-based policy allows the {name} action"
    if name == "iam:CreateServiceLinkedRole" and call.service == "ec2":
        # EC2 user guide, "Service-linked role for Spot Instance requests".
        return Refusal("AuthFailure.ServiceLinkedRoleCreationNotPermitted", "The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.", 403)
    if call.service == "ec2":
        return Refusal("UnauthorizedOperation", f"You are not authorized to perform this operation. {because}. Encoded authorization failure message: {encode(call, name, where)}", 403)
    code, status = {"ssm": ("AccessDeniedException", 400), "imagebuilder": ("AccessDeniedException", 403)}.get(call.service, ("AccessDenied", 403))
    return Refusal(code, because, status)


def resource(call):
    if getattr(call, "resource", None):
        return call.resource
    if call.service == "ssm" and call.values("Name"):
        return f"arn:aws:ssm:{call.region}:{call.account}:parameter/{str(call.values('Name')[0]).lstrip('/')}"
    if call.service == "autoscaling" and call.values("AutoScalingGroupName") and not call.action.startswith("Describe"):
        return f"arn:aws:autoscaling:{call.region}:{call.account}:autoScalingGroup:*:autoScalingGroupName/{call.values('AutoScalingGroupName')[0]}"
    if call.service != "ec2":
        return f"arn:aws:{call.service}:{call.region}:{call.account}:*"
    if call.action in RESOURCES:
        tail = RESOURCES[call.action]
    else:
        tail = "*"
        for name, kind in NAMED.items():
            values = call.values(name)
            if values:
                tail = f"{kind}/{values[0]}"
                break
    return "*" if call.action.startswith("Describe") else f"arn:aws:ec2:{call.region}:{call.account}:{tail}"


def encode(call, action, where):
    """The message of the service authorization reference for DecodeAuthorizationMessage."""
    message = {
        "allowed": False, "explicitDeny": False, "matchedStatements": {"items": []}, "failures": {"items": []},
        "context": {
            "principal": {"id": "AROATESTCLOUDPRINCIPA:session", "arn": call.principal},
            "action": action, "resource": where,
            "conditions": {"items": [
                {"key": "aws:Region", "values": {"items": [{"value": call.region}]}},
                {"key": "aws:Account", "values": {"items": [{"value": call.account}]}},
            ]},
        },
    }
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(message).encode())).decode()


def decode(text):
    try:
        return zlib.decompress(base64.urlsafe_b64decode(text.encode())).decode()
    except (ValueError, zlib.error) as error:
        raise Refusal("InvalidAuthorizationMessageException", f"Message is not valid: {error}") from error
