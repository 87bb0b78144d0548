"""Calls about an existing instance: console, attributes, and the reasons of state changes."""
import base64
import os

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.models.core import TaggedEC2Resource

from ..wire import Refusal
from .lifecycle import is_xen


class Instances:
    def __init__(self, cloud):
        self.cloud = cloud

    def install(self, response_class):
        moto_modify, moto_terminate = response_class.modify_instance_attribute, response_class.terminate_instances

        def get_console_output(response):
            return self.console(response)

        def modify_instance_attribute(response):
            instance = response.ec2_backend.get_instance(response._get_param("InstanceId"))
            behaviour = response._get_param("InstanceInitiatedShutdownBehavior.Value")
            if response._get_param("Attribute") == "instanceInitiatedShutdownBehavior":
                behaviour = response._get_param("Value")
            if behaviour is not None:
                if behaviour not in ("stop", "terminate"):
                    raise Refusal("InvalidParameterValue", f"Value ({behaviour}) for parameter instanceInitiatedShutdownBehavior is invalid.")
                response.error_on_dryrun()
                instance.instance_initiated_shutdown_behavior = behaviour
                return EmptyResult()
            needs_stop = ("InstanceType", "UserData", "Kernel", "Ramdisk")
            if any(response._get_param(f"{name}.Value") is not None for name in needs_stop) and instance.state != "stopped":
                raise Refusal("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
            return moto_modify(response)

        def terminate_instances(response):
            answer = moto_terminate(response)
            for entry in answer.result["TerminatingInstances"]:
                if entry["PreviousState"].name == "terminated":
                    entry["CurrentState"] = {"Code": 48, "Name": "terminated"}
            return answer

        def get_instance_uefi_data(response):
            """The variable store: what the guest wrote to /var/lib/efivars, else that of its image."""
            instance = response.ec2_backend.get_instance(response._get_param("InstanceId"))
            if instance.current_instance_boot_mode != "uefi":
                raise Refusal("UnsupportedOperation", f"The instance '{instance.id}' is not booted in UEFI mode.")
            response.error_on_dryrun()
            written = os.path.join(self.cloud.machines[instance.id].root.upper, "var/lib/efivars")
            if os.path.exists(written):
                with open(written, "rb") as file:
                    return ActionResult({"InstanceId": instance.id, "UefiData": base64.b64encode(file.read()).decode()})
            image = self.cloud.images.visible_source(response.ec2_backend, instance.image_id)
            return ActionResult({"InstanceId": instance.id, "UefiData": image.uefi_data if image else None})

        response_class.get_console_output = get_console_output
        response_class.get_instance_uefi_data = get_instance_uefi_data
        response_class.modify_instance_attribute = modify_instance_attribute
        response_class.terminate_instances = terminate_instances
        # Without this, moto searches all tags of a region with patterns for each resource that it shows.
        TaggedEC2Resource.get_tags = own_tags

    def console(self, response):
        instance = response.ec2_backend.get_instance(response._get_param("InstanceId"))
        latest = response._get_param("Latest")
        if latest and is_xen(instance):
            raise Refusal("UnsupportedOperation", "This instance type does not support retrieving the latest console logs.")
        response.error_on_dryrun()
        machine = self.cloud.machines[instance.id]
        # Without `latest` the text is that of the last state change: for a running machine the output of its boot.
        text = machine.console() if latest or instance.state != "running" else machine.posted()
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": base64.b64encode(text).decode()})


def own_tags(resource):
    return [{"key": key, "value": value, "resource_id": resource.id} for key, value in list(resource.ec2_backend.tags.get(resource.id, {}).items())]
