"""Parameters with images: Systems Manager answers first and validates later."""
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ssm.responses import SimpleSystemManagerResponse

from .faults import PARAMETER_KINDS
from .wire import Refusal

IMAGE = "aws:ec2:image"


def install(cloud):
    put = SimpleSystemManagerResponse.put_parameter

    def put_parameter(response):
        """A value of the data type aws:ec2:image that is not an image of the account is accepted and never appears."""
        if response._get_param("Tags") and response._get_param("Overwrite"):
            # Systems Manager API, PutParameter.
            raise Refusal("ValidationException", "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag.")
        if response._get_param("DataType") != IMAGE:
            return put(response)
        rule = cloud.faults.take(cloud.current, PARAMETER_KINDS)
        if rule is None and is_image(cloud, response):
            return put(response)
        return ActionResult({"Version": 1, "Tier": "Standard"})

    SimpleSystemManagerResponse.put_parameter = put_parameter


def is_image(cloud, response):
    backend = ec2_backends[response.current_account][response.region]
    try:
        return cloud.images.get(backend, response._get_param("Value")) is not None
    except Refusal:
        return False
