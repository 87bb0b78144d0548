"""Puts the cloud's own handlers in the place of moto's."""
from moto.ec2.responses import EC2Response
from moto.sts.responses import TokenResponse
from moto.core.responses import ActionResult

from .. import permissions
from ..gate import Gate
from ..seeds import Seeds
from ..wire import Refusal
from .images import Images
from .instances import Instances
from .launch import Launch
from .lifecycle import Lifecycle
from .network import Network
from .snapshots import Snapshots


def install(world):
    world.lifecycle = Lifecycle(world)
    world.images = Images(world)
    world.snapshots = Snapshots(world)
    world.seeds = Seeds(world)
    world.lifecycle.install()
    for part in (world.images, world.snapshots, Launch(world), Instances(world), Network(world)):
        part.install(EC2Response)
    EC2Response.error_on_dryrun = error_on_dryrun
    TokenResponse.decode_authorization_message = lambda response: ActionResult({"DecodedMessage": permissions.decode(response._get_param("EncodedMessage") or "")})
    Gate(world).install()


def error_on_dryrun(response):
    if response._get_param("DryRun", False):
        raise Refusal("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
