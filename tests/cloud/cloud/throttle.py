"""Token buckets per action, account and region, as in the EC2 developer guide, "Request throttling for the Amazon EC2 API"."""
import threading
import time

from . import latency
from .wire import Refusal

# group: (bucket, refill per second)
BUCKETS = {
    "describe": (100, 20), "run_instances": (5, 2), "start_instances": (5, 2), "stop_instances": (50, 5),
    "terminate_instances": (100, 5), "create_image": (50, 5), "snapshot": (100, 5), "copy_image": (100, 1),
    "copy_snapshot": (50, 5), "modify_attribute": (100, 5), "tags": (100, 10), "resource_intensive": (50, 5),
    "launch_template_ver": (100, 5), "mutating_other": (50, 5), "ssm_put_parameter": (3, 3), "ssm_get_parameter": (40, 40),
    "sts": (600, 600), "autoscaling": (100, 10), "iam": (20, 5),
}
UNFILTERED = {"DescribeInstances", "DescribeInstanceStatus", "DescribeSecurityGroups", "DescribeSnapshots", "DescribeVolumes", "DescribeNetworkInterfaces"}
NARROWING = {"Filters", "MaxResults", "InstanceIds", "GroupIds", "GroupNames", "SnapshotIds", "VolumeIds", "NetworkInterfaceIds"}
SHARED = {"autoscaling", "iam"}


class Throttle:
    def __init__(self, enabled=False):
        self.enabled = enabled
        self._tokens = {}
        self._lock = threading.Lock()

    def take(self, call):
        """Takes a token for the call, or refuses the call like the service."""
        if not self.enabled:
            return
        group = latency.group_of(call.service, call.action)
        if group is None:
            return
        size, refill = BUCKETS[group]
        if call.action in UNFILTERED and not NARROWING & set(call.parameters):
            size, refill = 50, 10
        key = (call.account, call.region, group if group in SHARED else f"{call.service}:{call.action}")
        with self._lock:
            now = time.monotonic()
            tokens, then = self._tokens.get(key, (size, now))
            tokens = min(size, tokens + (now - then) * refill)
            if tokens >= 1:
                self._tokens[key] = (tokens - 1, now)
                return
            self._tokens[key] = (tokens, now)
        raise refusal(call)


def refusal(call):
    if call.service == "ec2":
        return Refusal("RequestLimitExceeded", f"Request limit exceeded. Account {call.account} has been throttled on ec2:{call.action}.", 503)
    if call.service == "ssm":
        return Refusal("ThrottlingException", "Rate exceeded", 400)
    return Refusal("Throttling", "Rate exceeded", 400)
