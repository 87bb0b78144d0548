"""The open questions: each function yields rows (question, yes or no, evidence) and leaves nothing that its tag does not find."""
import base64
import hashlib
import time

from botocore.exceptions import ClientError

TYPES = ["t2.micro", "t3.small", "t3a.small", "t4g.small", "m6i.large", "m7i.large", "m7g.medium", "c7a.medium"]
BLOCK = 512 * 1024


def code(error):
    return error.response["Error"]["Code"]


def accepted(work):
    """Whether EC2 takes a call, and what it says where it does not."""
    try:
        return True, work()
    except ClientError as error:
        return False, f"{code(error)}: {error.response['Error']['Message']}"


def spot(account):
    """The capture of a spot machine: its guest halts, and EC2 must not take the disk away."""
    # A minute, in which the shutdown behavior is set.
    instance = account.launch(spot=True, script=f"(sleep {int(30 * account.pause)}; halt) &")
    taken, answer = accepted(lambda: account.ec2.modify_instance_attribute(
        InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "stop"}))
    yield "A one-time spot instance takes the shutdown behavior `stop`", taken, "accepted" if taken else answer
    account.until(lambda: "reboot: System halted" in account.console(instance), f"the guest of {instance} to halt", 300)
    time.sleep(15 * account.pause)
    state = account.state(instance)
    yield "A spot instance keeps running when its guest halts", state == "running", f"{state} after `reboot: System halted`"
    account.end(instance)


def stopping(account):
    """The fast capture: the console proves that the guest is down, and snapshots are taken before EC2 says `stopped`."""
    instance = account.launch()
    begun = time.monotonic()
    account.ec2.stop_instances(InstanceIds=[instance])

    def seen():
        state = account.state(instance)
        shown = "reboot: Power down" in account.console(instance)
        return (state, shown, time.monotonic() - begun) if shown or state == "stopped" else None

    state, shown, seconds = account.until(seen, f"{instance} to power down", 300)
    yield ("The latest console shows the power-down while the state is `stopping`", shown and state == "stopping",
           f"{'shown' if shown else 'not shown'} after {seconds:.1f} s, when the state was {state}")
    taken, answer = accepted(lambda: account.ec2.create_snapshots(
        InstanceSpecification={"InstanceId": instance}, TagSpecifications=account.tags("snapshot")))
    yield "CreateSnapshots is accepted then", taken, f"state {account.state(instance)}" if taken else answer
    if not taken:
        return
    snapshot = answer["Snapshots"][0]["SnapshotId"]
    ended, text = accepted(lambda: account.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True))
    yield "TerminateInstances with SkipOsShutdown is accepted right after CreateSnapshots", ended, "accepted" if ended else text
    state = account.until(lambda: (lambda now: now if now != "pending" else None)(account.snapshot_state(snapshot)), f"{snapshot}", 3600)
    yield "The snapshot of a machine that was terminated early is completed", state == "completed", f"{snapshot} is {state}"
    yield from registered(account, snapshot)


def registered(account, snapshot):
    """What EC2 fills in by itself when an image is registered."""
    for architecture in ("arm64", "x86_64"):
        image = account.ec2.register_image(
            Name=f"ami-bake-account-check {account.number} {architecture}", Architecture=architecture, VirtualizationType="hvm", EnaSupport=True,
            RootDeviceName="/dev/xvda", BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
            TagSpecifications=account.tags("image"))["ImageId"]
        shown = account.ec2.describe_images(ImageIds=[image])["Images"][0]
        mode = shown.get("BootMode")
        yield f"An {architecture} image that was registered without a boot mode has one", mode is not None, f"boot mode {mode}"


def shutdown_behavior(account):
    """Whether an image passes the shutdown behavior of the machine on, of which it was created."""
    instance = account.launch(InstanceInitiatedShutdownBehavior="terminate")
    image = account.ec2.create_image(InstanceId=instance, Name=f"ami-bake-account-check {account.number} created", NoReboot=True,
                                     TagSpecifications=account.tags("image", "snapshot"))["ImageId"]
    account.until(lambda: account.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", image, 3600)
    second = account.launch(image=image)
    answer = account.ec2.describe_instance_attribute(InstanceId=second, Attribute="instanceInitiatedShutdownBehavior")
    value = answer["InstanceInitiatedShutdownBehavior"]["Value"]
    yield "An image of CreateImage passes the shutdown behavior `terminate` on", value == "terminate", f"a machine of it has `{value}`"
    account.end(instance, second)


def console(account):
    """On which types the console can be read at any time."""
    for kind in TYPES:
        architecture = account.ec2.describe_instance_types(InstanceTypes=[kind])["InstanceTypes"][0]["ProcessorInfo"]["SupportedArchitectures"][-1]
        instance = account.launch(kind, image=account.image(architecture))
        taken, answer = accepted(lambda: account.ec2.get_console_output(InstanceId=instance, Latest=True))  # noqa: B023, called at once
        yield f"{kind} has a live console", taken, "GetConsoleOutput with `latest` is accepted" if taken else answer
        account.end(instance)


def direct(account):
    """How long a snapshot of EBS's direct API takes after its last block."""
    snapshot = account.ebs.start_snapshot(VolumeSize=1, Description="ami-bake account check", Tags=account.tag)["SnapshotId"]
    data = bytes(BLOCK)
    checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
    account.ebs.put_snapshot_block(SnapshotId=snapshot, BlockIndex=0, BlockData=data, DataLength=BLOCK, Checksum=checksum, ChecksumAlgorithm="SHA256")
    begun = time.monotonic()
    account.ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)
    account.until(lambda: account.snapshot_state(snapshot) == "completed", f"{snapshot} to be completed", 1800)
    seconds = time.monotonic() - begun
    yield "A snapshot is completed within 30 s of CompleteSnapshot", seconds <= 30, f"{seconds:.1f} s"


ALL = {"spot": spot, "stopping": stopping, "shutdown-behavior": shutdown_behavior, "console": console, "direct": direct}
