"""The delays of the cloud: seconds by transition, and by group of calls. AWS' figures: profiles/aws-typical.json."""
import fnmatch
import json
import random
import threading
import time

QUICK = {
    "instance_pending_to_running": 0.4,
    "running_to_ssh_ubuntu": 0.2,
    "running_to_ssh_al2023": 0.2,
    "running_to_ssh_debian": 0.2,
    "stop_request_to_guest_halted": 0.2,
    "stop_api_to_stopped": 0.8,
    "os_shutdown_to_stopped": 0.6,
    "stop_skip_os_shutdown_to_stopped": 0.3,
    "start_stopped_to_running": 0.4,
    "terminate_running_to_terminated": 0.6,
    "terminate_stopped_to_terminated": 0.2,
    "create_image_full": 0.8,
    "create_image_full_fast_volume": 0.5,
    "create_image_incremental": 0.4,
    "create_snapshot_empty_volume": 0.3,
    "register_image_to_available": 0.2,
    "copy_image": 1.0,
    "copy_image_incremental": 0.8,
    "copy_snapshot_same_region": 0.4,
    "copy_snapshot_cross_region_full": 0.8,
    "copy_snapshot_cross_region_incr": 0.4,
    "iam_instance_profile_usable": 0.0,
    "describe_lag": 0.0,
    "sg_delete_blocked_after_terminated": 0.0,
    "min_s_between_snapshots_of_volume": 0.0,
    "asg_launch_to_in_service": 0.2,
    "asg_instance_refresh_per_batch": 0.15,
}
# The first group that contains the action applies; "ssm:*" and the like are whole services.
GROUPS = {
    "run_instances": ["ec2:RunInstances"],
    "start_instances": ["ec2:StartInstances"],
    "stop_instances": ["ec2:StopInstances"],
    "terminate_instances": ["ec2:TerminateInstances"],
    "create_image": ["ec2:CreateImage", "ec2:RegisterImage"],
    "snapshot": ["ec2:CreateSnapshot", "ec2:CreateSnapshots", "ec2:DeleteSnapshot", "ec2:CreateVolume", "ec2:DeleteVolume", "ec2:DeregisterImage"],
    "copy_image": ["ec2:CopyImage"],
    "copy_snapshot": ["ec2:CopySnapshot"],
    "modify_attribute": ["ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute", "ec2:ModifyLaunchTemplate", "ec2:ModifyInstanceMetadataOptions"],
    "tags": ["ec2:CreateTags", "ec2:DeleteTags"],
    "resource_intensive": ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", "ec2:CreateKeyPair"],
    "launch_template_ver": ["ec2:CreateLaunchTemplateVersion"],
    "describe": ["ec2:Describe*", "ec2:Get*", "ec2:List*"],
    "mutating_other": ["ec2:*"],
    "ssm_put_parameter": ["ssm:PutParameter"],
    "ssm_get_parameter": ["ssm:*"],
    "sts": ["sts:*"],
    "autoscaling": ["autoscaling:*"],
    "iam": ["iam:*"],
}


def group_of(service, action):
    name = f"{service}:{action}"
    for group, patterns in GROUPS.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            return group
    return None


class Latency:
    """Seconds of each transition; a file with the same names (flat, with `calls` and `seed` separate) overrides the
    quick profile.

    A transition is a number, or `[min, typical, max]`: then each use draws from a PERT distribution, with a random
    stream per seed and name, so that two programs that do the same get the same delays.
    """

    def __init__(self, path=None):
        self._seconds = dict(QUICK)
        self._calls = {}
        self._seed = 0
        self._streams = {}
        self._lock = threading.Lock()
        self._served = []
        if path:
            with open(path, encoding="utf-8") as file:
                self.update(json.load(file))

    def update(self, values):
        values = dict(values)
        if "seed" in values:
            self._seed, self._streams = values.pop("seed"), {}
        for group, seconds in values.pop("calls", {}).items():
            if group not in GROUPS:
                raise ValueError(f"unknown group of calls {group!r}; known: {', '.join(GROUPS)}")
            self._calls[group] = float(seconds)
        for name, seconds in values.items():
            if name not in QUICK:
                raise ValueError(f"unknown transition {name!r}; known: {', '.join(QUICK)}")
            self._seconds[name] = sorted(float(part) for part in seconds) if isinstance(seconds, list) else float(seconds)

    def of(self, transition):
        seconds = self._seconds[transition]
        with self._lock:
            if isinstance(seconds, list):
                stream = self._streams.setdefault(transition, random.Random(f"{self._seed}/{transition}"))
                seconds = pert(stream, *seconds)
            if transition != "describe_lag":
                self._served.append({"time": time.time(), "transition": transition, "seconds": seconds})
        return seconds

    def took(self, name, seconds):
        """Records a duration that the cloud does not set, such as that of a guest's shutdown."""
        with self._lock:
            self._served.append({"time": time.time(), "transition": name, "seconds": seconds})

    def served(self):
        """Every delay so far, in order."""
        with self._lock:
            return list(self._served)

    def call(self, service, action):
        return self._calls.get(group_of(service, action), 0.0)

    def all(self):
        return {**self._seconds, "seed": self._seed, "calls": dict(self._calls)}


def pert(stream, least, typical, most):
    """A beta distribution between least and most with the mode `typical`."""
    if most <= least:
        return least
    share = 4.0 / (most - least)
    return least + (most - least) * stream.betavariate(1 + share * (typical - least), 1 + share * (most - typical))
