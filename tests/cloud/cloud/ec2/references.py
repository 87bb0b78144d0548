"""DescribeImageReferences: instances, launch templates and parameters of the account that refer to an image."""
from moto.core.responses import ActionResult
from moto.ssm.models import ssm_backends

from ..wire import Refusal

IMAGES = 10
DEPTH = 10  # newest versions of a template to search, unless the call sets another number
STATES = ("pending", "running", "shutting-down", "terminated", "stopping", "stopped")
KINDS = ("ec2:Instance", "ec2:LaunchTemplate", "ssm:Parameter", "imagebuilder:ImageRecipe", "imagebuilder:ContainerRecipe")


class References:
    def __init__(self, cloud):
        self.cloud = cloud

    def install(self, response_class):
        work = self.describe_image_references
        response_class.describe_image_references = lambda response: work(response)

    def describe_image_references(self, response):
        backend, get = response.ec2_backend, response._get_param
        wanted = get("ImageIds", []) or []
        if not 1 <= len(wanted) <= IMAGES:
            raise Refusal("InvalidParameterValue", f"The number of image IDs must be between 1 and {IMAGES}, not {len(wanted)}")
        kinds = options(get)
        response.error_on_dryrun()
        for image_id in wanted:
            self.cloud.images.get(backend, image_id)
        place = f"{backend.region_name}:{backend.account_id}"
        found = []
        if "ec2:Instance" in kinds:
            states = kinds["ec2:Instance"].get("state-name") or STATES
            instances = (instance for reservation in backend.reservations.values() for instance in reservation.instances)
            found += [("ec2:Instance", one.image_id, f"arn:aws:ec2:{place}:instance/{one.id}") for one in instances if one.state in states]
        if "ec2:LaunchTemplate" in kinds:
            depth = int((kinds["ec2:LaunchTemplate"].get("version-depth") or [DEPTH])[0])
            for template in backend.launch_templates.values():
                images = {version.image_id for version in list(template.versions)[-depth:] if version is not None}
                found += [("ec2:LaunchTemplate", image, f"arn:aws:ec2:{place}:launch-template/{template.id}") for image in images]
        if "ssm:Parameter" in kinds:
            for name, versions in list(ssm_backends[backend.account_id][backend.region_name]._parameters.items()):
                parameter = versions[-1]
                if not name.startswith("/aws/service/") and parameter.data_type == "aws:ec2:image":
                    found.append(("ssm:Parameter", parameter.value, f"arn:aws:ssm:{place}:parameter/{name.lstrip('/')}"))
        references = [{"ImageId": image, "ResourceType": kind, "Arn": arn} for kind, image, arn in found if image in wanted]
        return ActionResult({"ImageReferences": references})


def options(get):
    """The requested kinds, each with its options."""
    asked = {request.get("ResourceType"): {option.get("OptionName"): option.get("OptionValues") for option in request.get("ResourceTypeOptions") or []}
             for request in get("ResourceTypes", []) or []}
    everything = str(get("IncludeAllResourceTypes", "")).lower() == "true"
    if not asked and not everything:
        raise Refusal("MissingParameter", "Either IncludeAllResourceTypes or ResourceTypes must be specified")
    for kind, chosen in asked.items():
        if kind not in KINDS:
            raise Refusal("InvalidParameterValue", f"Value ({kind}) for parameter resourceType is invalid.")
        depth = (chosen.get("version-depth") or [1])[0]
        if not 1 <= int(depth) <= 10000:
            raise Refusal("InvalidParameterValue", f"Value ({depth}) for version-depth must be between 1 and 10000")
    return {**({kind: {} for kind in KINDS} if everything else {}), **asked}
