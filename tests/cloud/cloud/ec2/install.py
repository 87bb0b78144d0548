"""Replaces moto's handlers with the cloud's own."""
from moto.ec2.responses import EC2Response
from moto.sts.responses import TokenResponse
from moto.core.responses import ActionResult
from moto.iam.exceptions import NoSuchEntity
from moto.iam.models import IAMBackend

from .. import permissions
from ..autoscaling.install import install as install_autoscaling
from ..gate import Gate
from ..parameters import install as install_parameters
from ..seeds import Seeds
from ..wire import Refusal
from . import regions
from .images import Images
from .instances import Instances
from .launch import Launch
from .lifecycle import Lifecycle
from .network import Network
from .references import References
from .snapshots import Snapshots
from .templates import Templates
from .usage_reports import UsageReports


def install(cloud):
    cloud.lifecycle = Lifecycle(cloud)
    cloud.images = Images(cloud)
    cloud.snapshots = Snapshots(cloud)
    cloud.seeds = Seeds(cloud)
    cloud.lifecycle.install()
    for part in (cloud.images, cloud.snapshots, Launch(cloud), Instances(cloud), Network(cloud), References(cloud), Templates(cloud), UsageReports(cloud)):
        part.install(EC2Response)
    regions.install(EC2Response)
    install_autoscaling(cloud)
    install_parameters(cloud)
    EC2Response.error_on_dryrun = error_on_dryrun
    TokenResponse.decode_authorization_message = lambda response: ActionResult({"DecodedMessage": permissions.decode(response._get_param("EncodedMessage") or "")})
    IAMBackend.remove_role_from_instance_profile = remove_role_from_instance_profile
    Gate(cloud).install()


def remove_role_from_instance_profile(backend, profile_name, role_name):
    """Moto raises ValueError if the role does not exist; IAM answers with an error."""
    profile, role = backend.get_instance_profile(profile_name), backend.get_role(role_name)
    if role not in profile.roles:
        raise NoSuchEntity(f"The role with name {role_name} is not in the instance profile {profile_name}.")
    profile.roles.remove(role)


def error_on_dryrun(response):
    if response._get_param("DryRun", False):
        raise Refusal("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
