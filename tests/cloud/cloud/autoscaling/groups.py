"""Auto Scaling groups. Their instances have no machines: each is an ID, a zone, a launch template version and a
state."""
import math
import types

from botocore import xform_name
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random

from ..wire import Refusal

# Parameters of CreateAutoScalingGroup and UpdateAutoScalingGroup that moto does not keep.
KEPT = ("DefaultInstanceWarmup", "MaxInstanceLifetime", "Context", "DesiredCapacityType", "InstanceMaintenancePolicy", "CapacityRebalance",
        "AvailabilityZoneDistribution", "AvailabilityZoneImpairmentPolicy", "CapacityReservationSpecification", "TrafficSources",
        "DeletionProtection", "TerminationPolicies", "DefaultCooldown", "PlacementGroup", "ServiceLinkedRoleARN")
ALIVE = ("Pending", "InService")


class Host:
    """An instance of a group, without a machine."""

    def __init__(self, group, number):
        self.id = f"i-{mock_random.get_random_hex(17)}"
        self.autoscaling_group = group
        zones = group.availability_zones
        self.placement = types.SimpleNamespace(zone=zones[len(group.instance_states) % len(zones)])
        self.version = number
        template = group.ec2_launch_template
        self.template = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(number)} if template else None
        self.instance_type = (template.get_version(number).instance_type if template else group.launch_config.instance_type) or "m1.small"


class Groups:
    def __init__(self, cloud):
        self.cloud = cloud
        self.notifications = {}  # backend, group → configurations

    def install(self):
        groups = self
        group, backend, response = FakeAutoScalingGroup, AutoScalingBackend, AutoScalingResponse
        group.set_desired_capacity = lambda this, wanted: groups.size(this, wanted)
        group.launch_template = property(launch_template)
        moto_update = group.update
        group.update = lambda this, *given, **named: update(moto_update, this, *given, **named)
        InstanceState.launch_template = property(lambda state: state.instance.template)
        backend.update_attached_elbs = backend.update_attached_target_groups = lambda this, name: None
        backend.set_desired_capacity = lambda this, name, wanted: groups.size(this.autoscaling_groups[name], wanted)
        backend.detach_load_balancer_target_groups = detach_target_groups
        backend.detach_load_balancers = detach_load_balancers
        keyed(backend, "put_scaling_policy", "policies", lambda named: (named["as_name"], named["name"]))
        keyed(backend, "put_scheduled_update_group_action", "scheduled_actions", lambda named: (named["name"], named["scheduled_action_name"]))
        for name in ("create_auto_scaling_group", "update_auto_scaling_group", "set_desired_capacity", "delete_auto_scaling_group", "describe_load_balancer_target_groups",
                     "put_notification_configuration", "describe_notification_configurations"):
            setattr(response, name, self._handler(name, getattr(response, name, None)))

    def _handler(self, name, moto):
        work = getattr(self, name)
        return lambda response: work(response, moto)

    # instances ----------------------------------------------------------------------------------------------

    def size(self, group, wanted):
        """Launches or terminates instances until there are as many as wanted; suspended processes do neither."""
        group.desired_capacity = group.min_size if wanted is None else wanted
        suspended = {entry["ProcessName"] for entry in group.suspended_processes} if hasattr(group, "_suspended_processes") else set()
        missing = (group.desired_capacity or 0) - len(group.instance_states)
        if missing > 0 and "Launch" not in suspended:
            self.launch(group, missing, self.number(group))
        elif missing < 0 and "Terminate" not in suspended:
            for state in [state for state in group.instance_states if not state.protected_from_scale_in][:-missing]:
                group.instance_states.remove(state)

    def launch(self, group, count, number):
        call = self.cloud.current
        asked = call if call and call.service == "autoscaling" else None
        broken = self.cloud.faults.take(asked, {"instances-unhealthy"}) if asked else None
        hold = self.cloud.faults.hold(asked)
        for _ in range(count):
            state = InstanceState(Host(group, number), lifecycle_state="Pending", protected_from_scale_in=group.new_instances_protected_from_scale_in, autoscaling_group=group)
            if broken:
                state.health_status = "Unhealthy"
            else:
                self.cloud.timeline.after(self.cloud.latency.of("asg_launch_to_in_service"), self._in_service, state, hold=hold)
            group.instance_states.append(state)

    def _in_service(self, state):
        with self.cloud.lock:
            state.lifecycle_state = "InService"

    @staticmethod
    def number(group):
        """Number of the template version that the group launches now."""
        if not group.ec2_launch_template:
            return None
        return group.ec2_launch_template.get_version(group.launch_template_version).number

    # calls --------------------------------------------------------------------------------------------------

    def create_auto_scaling_group(self, response, moto):
        name = response._get_param("AutoScalingGroupName")
        if name in response.autoscaling_backend.autoscaling_groups:
            raise Refusal("AlreadyExists", f"AutoScalingGroup by this name already exists - A group with the name {name} already exists")
        for tag in response._get_param("Tags", []):
            if str(tag.get("Key", "")).startswith("aws:"):
                raise Refusal("ValidationError", "Tag keys starting with aws: are reserved for internal use")
        sizes = [response._get_int_param(field) for field in ("MinSize", "DesiredCapacity", "MaxSize")]
        check_sizes(*sizes)
        answer = moto(response)
        group = response.autoscaling_backend.autoscaling_groups[name]
        self._keep(response, group)
        for hook in response._get_param("LifecycleHookSpecificationList", []):
            response.autoscaling_backend.create_lifecycle_hook(hook["LifecycleHookName"], name, hook.get("LifecycleTransition"), hook.get("HeartbeatTimeout"), hook.get("DefaultResult"))
        return answer

    def update_auto_scaling_group(self, response, moto):
        group = found(response)
        if "Delete" in (getattr(group, "status", None) or ""):
            raise Refusal("ScalingActivityInProgress", "The group is being deleted")
        answer = moto(response)
        self._keep(response, group)
        self.size(group, min(max(group.desired_capacity, group.min_size), group.max_size))
        return answer

    @staticmethod
    def _keep(response, group):
        for field in KEPT:
            value = response._get_param(field)
            if value is not None:
                setattr(group, xform_name(field), value)

    def set_desired_capacity(self, response, moto):
        group = found(response)
        check_sizes(group.min_size, response._get_int_param("DesiredCapacity"), group.max_size)
        return moto(response)

    def delete_auto_scaling_group(self, response, _):
        group = found(response)
        if group.instance_states and not response._get_bool_param("ForceDelete", False):
            raise Refusal("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
        backend = response.autoscaling_backend
        backend.autoscaling_groups.pop(group.name)
        for kept in (backend.policies, backend.scheduled_actions):
            for key in [key for key, entry in kept.items() if entry.auto_scaling_group_name == group.name]:
                del kept[key]
        self.notifications.pop((backend.account_id, backend.region_name, group.name), None)
        return EmptyResult()

    def describe_load_balancer_target_groups(self, response, _):
        """A target group is InService once an instance has passed its health check, which only a group of type ELB
        uses."""
        group = found(response)
        healthy = any(state.lifecycle_state == "InService" and state.health_status == "Healthy" for state in group.instance_states)
        state = "InService" if healthy and group.health_check_type == "ELB" else "Added" if healthy or not group.instance_states else "Adding"
        return ActionResult({"LoadBalancerTargetGroups": [{"LoadBalancerTargetGroupARN": arn, "State": state} for arn in group.target_group_arns]})

    def put_notification_configuration(self, response, _):
        group = found(response)
        topic = response._get_param("TopicARN")
        key = (response.current_account, response.region, group.name)
        kinds = [{"AutoScalingGroupName": group.name, "TopicARN": topic, "NotificationType": kind} for kind in response._get_param("NotificationTypes", [])]
        self.notifications[key] = [entry for entry in self.notifications.get(key, []) if entry["TopicARN"] != topic] + kinds
        return EmptyResult()

    def describe_notification_configurations(self, response, _):
        names = response._get_param("AutoScalingGroupNames", [])
        entries = [entry for (account, region, name), kept in self.notifications.items()
                   if (account, region) == (response.current_account, response.region) and (not names or name in names) for entry in kept]
        return ActionResult({"NotificationConfigurations": entries})


def launch_template(group):
    if group.ec2_launch_template is None or group.mixed_instances_policy:
        return None
    template = {"LaunchTemplateId": group.ec2_launch_template.id, "LaunchTemplateName": group.ec2_launch_template.name}
    return template if group.provided_launch_template_version is None else {**template, "Version": group.provided_launch_template_version}


def update(moto, group, *given, **named):
    """Updates a group. Moto drops the policy of a group whose update does not name it."""
    policy = group.mixed_instances_policy
    sized = dict(named, desired_capacity=named.get("desired_capacity") if named.get("desired_capacity") is not None else group.desired_capacity)
    moto(group, *given, **sized)
    if not named.get("mixed_instances_policy") and not named.get("launch_template"):
        group.mixed_instances_policy = policy


def keyed(backend, method, kept, key):
    """A key that is unique per group. Moto keys policies and actions by their own names, which two groups may share
    here."""
    moto = getattr(backend, method)

    def put(this, **named):
        entries = getattr(this, kept)
        before = dict(entries)
        made = moto(this, **named)
        entries.clear()
        entries.update(before)
        entries["/".join(key(named))] = made
        return made

    setattr(backend, method, put)


def detach_target_groups(backend, name, arns):
    group = backend.autoscaling_groups[name]
    group.target_group_arns = [arn for arn in group.target_group_arns if arn not in arns]


def detach_load_balancers(backend, name, names):
    group = backend.autoscaling_groups[name]
    group.load_balancer_names = [entry for entry in group.load_balancer_names if entry not in names]


def found(response):
    name = response._get_param("AutoScalingGroupName")
    group = response.autoscaling_backend.autoscaling_groups.get(name)
    if group is None:
        raise Refusal("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def check_sizes(least, wanted, most):
    if least is not None and most is not None and least > most:
        raise Refusal("ValidationError", "Max bound must be greater than or equal to min bound")
    if wanted is not None and not (least or 0) <= wanted <= (math.inf if most is None else most):
        raise Refusal("ValidationError", f"Desired capacity:{wanted} must be between the specified min size:{least} and max size:{most}")
