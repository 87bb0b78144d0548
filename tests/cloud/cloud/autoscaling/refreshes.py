"""Instance refreshes: states, refusals and rollback (Auto Scaling API and user guide, "instance refresh")."""
import copy
import datetime
import math

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.moto_api._internal import mock_random

from ..wire import Refusal
from .groups import found

ACTIVE = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")
FAULTS = ("refresh-fails", "refresh-replaces-nothing", "rollback-fails", "hold")
HANDLERS = ("start_instance_refresh", "describe_instance_refreshes", "cancel_instance_refresh", "rollback_instance_refresh")


class Refresh:
    def __init__(self, group, desired, preferences, faults):
        self.id = str(mock_random.uuid4())
        self.group, self.desired, self.preferences, self.faults = group, desired, preferences, faults
        self.status, self.reason = "Pending", None
        self.started, self.ended = now(), None
        self.before = saved(group)
        self.percentage = 0
        self.rollback = None
        self.paused = set()

    def left(self, number):
        return [state for state in self.group.instance_states if state.instance.version != number]

    def as_answer(self, goal):
        answer = {"InstanceRefreshId": self.id, "AutoScalingGroupName": self.group.name, "Status": self.status, "StartTime": self.started,
                  "PercentageComplete": self.percentage, "InstancesToUpdate": len(self.left(goal(self))) if self.status in ACTIVE else 0,
                  "Preferences": self.preferences, "Strategy": "Rolling"}
        for name, value in (("StatusReason", self.reason), ("EndTime", self.ended), ("DesiredConfiguration", self.desired), ("RollbackDetails", self.rollback)):
            if value is not None:
                answer[name] = value
        return answer


class Refreshes:
    """All instance refreshes. Callers hold the cloud's lock, except for the timeline."""

    def __init__(self, cloud, groups):
        self.cloud, self.groups = cloud, groups
        self._all = {}  # account, region, group → refreshes, oldest first

    def install(self):
        for name in HANDLERS:
            setattr(AutoScalingResponse, name, self._handler(name))

    def _handler(self, name):
        work = getattr(self, name)
        return lambda response: work(response, found(response))

    def _of(self, response, group):
        return self._all.setdefault((response.current_account, response.region, group.name), [])

    def _active(self, response, group):
        return next((refresh for refresh in self._of(response, group) if refresh.status in ACTIVE), None)

    # calls --------------------------------------------------------------------------------------------------

    def start_instance_refresh(self, response, group):
        if self._active(response, group):
            raise Refusal("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.")
        desired = response._get_param("DesiredConfiguration") or None
        preferences = response._get_param("Preferences", {})
        check_preferences(preferences)
        if desired:
            self._version(response, specification(desired))  # refuses one that does not exist
        if preferences.get("AutoRollback"):
            if not desired:
                raise Refusal("ValidationError", "The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty.")
            irreversible(group)
        call = self.cloud.current
        rules = {kind: rule for kind in FAULTS if (rule := self.cloud.faults.take(call, {kind}))}
        refresh = Refresh(group, desired, preferences, rules)
        self._of(response, group).append(refresh)
        self._later(refresh, self._step)
        return ActionResult({"InstanceRefreshId": refresh.id})

    def describe_instance_refreshes(self, response, group):
        ids = response._get_param("InstanceRefreshIds", [])
        newest = [refresh for refresh in reversed(self._of(response, group)) if not ids or refresh.id in ids]
        return ActionResult({"InstanceRefreshes": [refresh.as_answer(self._goal) for refresh in newest]})

    def cancel_instance_refresh(self, response, group):
        refresh = self._active(response, group)
        if not refresh:
            raise Refusal("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group " + group.name)
        refresh.status = "Cancelling"
        self._later(refresh, self._cancelled)
        return ActionResult({"InstanceRefreshId": refresh.id})

    def rollback_instance_refresh(self, response, group):
        refresh = self._active(response, group)
        if not refresh:
            raise Refusal("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group " + group.name)
        if not refresh.desired:
            raise Refusal("IrreversibleInstanceRefresh", "The instance refresh does not have a desired configuration and cannot be rolled back.")
        irreversible(group, "IrreversibleInstanceRefresh")
        self._roll_back(refresh, "Rollback was requested by the user.")
        return ActionResult({"InstanceRefreshId": refresh.id})

    # time ---------------------------------------------------------------------------------------------------

    def _later(self, refresh, work, seconds=None):
        delay = self.cloud.latency.of("asg_instance_refresh_per_batch") if seconds is None else seconds
        self.cloud.timeline.after(delay, self._locked, work, refresh)

    def _locked(self, work, refresh):
        with self.cloud.lock:
            work(refresh)

    def _goal(self, refresh):
        """Number of the version that the instances are moved to."""
        if refresh.status == "RollbackInProgress" or not refresh.desired:
            return self._resolve(refresh.group, refresh.before)
        return self._resolve(refresh.group, specification(refresh.desired))

    @staticmethod
    def _resolve(group, given):
        template = group.ec2_launch_template
        return template.get_version((given or {}).get("Version") or "$Default").number if template else None

    def _version(self, response, given):
        backend = response.autoscaling_backend.ec2_backend
        template = backend.get_launch_template(given["LaunchTemplateId"]) if given.get("LaunchTemplateId") else backend.get_launch_template_by_name(given["LaunchTemplateName"])
        version = given.get("Version") or "$Default"
        if not version.startswith("$") and int(version) not in [entry.number for entry in template.versions]:
            raise Refusal("ValidationError", f"You must use a valid fully-formed launch template. Could not find launch template version {version} of {template.id}.")

    def _replace(self, refresh, number):
        """Replaces one batch; the new instances are in service at once."""
        group = refresh.group
        size = max(1, len(group.instance_states))
        batch = max(1, math.floor(size * (100 - refresh.preferences.get("MinHealthyPercentage", 90)) / 100))
        for state in refresh.left(number)[:batch]:
            group.instance_states.remove(state)
            self.groups.launch(group, 1, number)
            group.instance_states[-1].lifecycle_state = "InService"
        left = len(refresh.left(number))
        return math.floor(100 * (size - left) / size), left

    def _step(self, refresh):
        if refresh.status == "Pending":
            refresh.status = "InProgress"
        if refresh.status != "InProgress":
            return
        goal = self._goal(refresh)
        hold, failure = refresh.faults.get("hold"), refresh.faults.get("refresh-fails")
        if hold and hold.deleted.is_set():
            hold = None
        if hold and refresh.percentage >= hold.options.get("at", 0):
            refresh.reason = "Waiting for instances to warm up before continuing."
            return hold.when_deleted(self._later, refresh, self._step)
        if failure and refresh.percentage >= failure.options.get("at", 0):
            return self._fail(refresh, failure.options.get("reason", "Instances failed to become healthy before timing out."))
        if refresh.left(goal) and "refresh-replaces-nothing" not in refresh.faults:
            refresh.percentage, left = self._replace(refresh, goal)
        else:
            refresh.percentage, left = 100, 0
        for point in refresh.preferences.get("CheckpointPercentages", []):
            if point <= refresh.percentage and point not in refresh.paused and point < 100:
                refresh.paused.add(point)
                refresh.reason = f"Waiting for {refresh.preferences.get('CheckpointDelay', 3600)} seconds before continuing. {point}% of instances are replaced."
                return self._later(refresh, self._step, refresh.preferences.get("CheckpointDelay", 3600))
        if left or hold or failure:
            return self._later(refresh, self._step)
        self._end(refresh, "Successful")
        if refresh.desired:
            configure(refresh.group, refresh.desired)

    def _fail(self, refresh, reason):
        if refresh.preferences.get("AutoRollback"):
            return self._roll_back(refresh, reason)
        self._end(refresh, "Failed", reason)

    def _roll_back(self, refresh, reason):
        refresh.status, refresh.reason = "RollbackInProgress", reason
        refresh.rollback = {"RollbackReason": reason, "RollbackStartTime": now(), "PercentageCompleteOnRollback": refresh.percentage,
                            "InstancesToUpdateOnRollback": len(refresh.left(self._goal(refresh)))}
        self._later(refresh, self._back)

    def _back(self, refresh):
        if refresh.status != "RollbackInProgress":
            return
        if "rollback-fails" in refresh.faults:
            return self._end(refresh, "RollbackFailed", "The rollback failed: instances of the previous configuration failed to launch.")
        goal = self._goal(refresh)
        if refresh.left(goal):
            self._replace(refresh, goal)
            return self._later(refresh, self._back)
        self._end(refresh, "RollbackSuccessful", refresh.reason)

    def _cancelled(self, refresh):
        self._end(refresh, "Cancelled", "Cancelled due to user request.")

    @staticmethod
    def _end(refresh, status, reason=None):
        refresh.status, refresh.ended, refresh.reason = status, now(), reason
        if status == "Successful":
            refresh.percentage = 100


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def specification(configuration):
    """The launch template of a desired configuration or of a policy."""
    policy = configuration.get("MixedInstancesPolicy")
    return policy["LaunchTemplate"]["LaunchTemplateSpecification"] if policy else configuration["LaunchTemplate"]


def saved(group):
    """The group's launch template specification from before the refresh."""
    if group.mixed_instances_policy:
        return copy.deepcopy(group.mixed_instances_policy["LaunchTemplate"]["LaunchTemplateSpecification"])
    return copy.deepcopy(group.launch_template)


def configure(group, desired):
    if desired.get("MixedInstancesPolicy"):
        group.mixed_instances_policy = desired["MixedInstancesPolicy"]
        group._set_launch_configuration(None, None, desired["MixedInstancesPolicy"])
    else:
        group.mixed_instances_policy = None
        group._set_launch_configuration(None, desired["LaunchTemplate"], None)


def irreversible(group, code="ValidationError"):
    """Refuses a rollback if the group's own configuration is not a fixed version."""
    given = saved(group)
    if not given:
        raise Refusal(code, "The Auto Scaling group has no launch template to roll back to.")
    if str(given.get("Version") or "$Default").startswith("$"):
        raise Refusal(code, "The Auto Scaling group uses the launch template's $Latest or $Default version, which cannot be rolled back to.")
    data = group.ec2_launch_template.get_version(given["Version"]).data
    if str(data.get("ImageId", "")).startswith("resolve:ssm:"):
        raise Refusal(code, "The Auto Scaling group's launch template uses a Systems Manager parameter for its image, which cannot be rolled back to.")


def check_preferences(preferences):
    least, most = preferences.get("MinHealthyPercentage"), preferences.get("MaxHealthyPercentage")
    if least is not None and not 0 <= least <= 100:
        raise Refusal("ValidationError", "MinHealthyPercentage must be between 0 and 100")
    if most is not None:
        if least is None:
            raise Refusal("ValidationError", "MinHealthyPercentage must be specified when MaxHealthyPercentage is")
        if not 100 <= most <= 200 or most - least > 100:
            raise Refusal("ValidationError", "MaxHealthyPercentage must be between 100 and 200 and at most 100 above MinHealthyPercentage")
    points = preferences.get("CheckpointPercentages", [])
    if points != sorted(set(points)):
        raise Refusal("ValidationError", "CheckpointPercentages must be unique and in ascending order")
    if preferences.get("CheckpointDelay") is not None and not points:
        raise Refusal("ValidationError", "CheckpointDelay needs CheckpointPercentages")
