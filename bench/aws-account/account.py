"""What a check makes in an account: everything carries its tag from its creation on, and goes at the end."""
import base64
import time

import boto3
from botocore.exceptions import ClientError

TAG = "ami-bake-account-check"
# The newest Amazon Linux, which every account can see.
IMAGES = {"x86_64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
          "arm64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"}
# Minutes after which a machine ends by itself, whatever happens to this program.
LIFE = 60


class Slow(Exception):
    """Something did not happen in time."""


class Account:
    def __init__(self, region, number, pause):
        self.region, self.number, self.pause = region, number, pause
        self.ec2, self.ebs = boto3.client("ec2", region_name=region), boto3.client("ebs", region_name=region)
        self.ssm, self.sts = boto3.client("ssm", region_name=region), boto3.client("sts", region_name=region)
        self.tag = [{"Key": TAG, "Value": number}, {"Key": "Name", "Value": f"{TAG} {number}"}]

    def tags(self, *kinds):
        return [{"ResourceType": kind, "Tags": self.tag} for kind in kinds]

    def image(self, architecture="x86_64"):
        return self.ssm.get_parameter(Name=IMAGES[architecture])["Parameter"]["Value"]

    def launch(self, kind="t3.small", script="", image=None, spot=False, **options):
        """A machine that ends by itself; `script` runs at its first boot."""
        data = f"#!/bin/sh\nshutdown -h +{LIFE}\n{script}\n"
        if spot:
            options["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}
        kinds = ["instance", "volume", "network-interface"] + (["spot-instances-request"] if spot else [])
        answer = self.ec2.run_instances(ImageId=image or self.image(), InstanceType=kind, MinCount=1, MaxCount=1, UserData=data,
                                        TagSpecifications=self.tags(*kinds), **options)
        instance = answer["Instances"][0]["InstanceId"]
        self.until(lambda: self.state(instance) == "running", f"{instance} ({kind}) to run", 300)
        return instance

    def instance(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def state(self, instance):
        try:
            return self.instance(instance)["State"]["Name"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidInstanceID.NotFound":
                return "unknown yet"
            raise

    def console(self, instance):
        output = self.ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")
        try:
            # boto3 decodes by itself; a text that is no base64 is the console's.
            return base64.b64decode(output, validate=True).decode("utf-8", "replace")
        except ValueError:
            return output

    def snapshot_state(self, snapshot):
        return self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"]

    def end(self, *instances):
        self.ec2.terminate_instances(InstanceIds=list(instances))

    def until(self, check, what, limit):
        """What `check` answers once it is true; says what it waits for."""
        begun, said = time.monotonic(), False
        while True:
            found = check()
            if found:
                return found
            passed = time.monotonic() - begun
            if passed > limit:
                raise Slow(f"waited {limit} s for {what}")
            if passed > 10 and not said:
                print(f"    Waiting for {what}", flush=True)
                said = True
            time.sleep(self.pause)

    def clean_up(self):
        """Deletes everything with the tag; answers what is left."""
        mine = [{"Name": f"tag:{TAG}", "Values": [self.number]}]
        machines = [one["InstanceId"] for reservation in self.ec2.describe_instances(Filters=mine)["Reservations"]
                    for one in reservation["Instances"] if one["State"]["Name"] not in ("terminated", "shutting-down")]
        if machines:
            self.end(*machines)
        left = []
        for image in self.ec2.describe_images(Owners=["self"], Filters=mine)["Images"]:
            self._try(left, image["ImageId"], lambda: self.ec2.deregister_image(ImageId=image["ImageId"], DeleteAssociatedSnapshots=True))
        for snapshot in self.ec2.describe_snapshots(OwnerIds=["self"], Filters=mine)["Snapshots"]:
            self._try(left, snapshot["SnapshotId"], lambda: self.ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"]))
        return left

    @staticmethod
    def _try(left, name, work):
        try:
            work()
        except ClientError as error:
            if not error.response["Error"]["Code"].endswith(".NotFound"):
                left.append(f"{name}: {error.response['Error']['Message']}")
