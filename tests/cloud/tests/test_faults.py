"""The admin interface: faults, permissions, throttling, calls, and the end of the cloud itself."""
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import time
import unittest
import urllib.request

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from .harness import LIMIT, Cloud, CloudCase


class Faults(CloudCase):
    def fault(self, **rule):
        return self.cloud.admin("POST", "faults", rule)[0]

    def test_no_capacity_in_one_zone(self):
        self.fault(action="RunInstances", match={"az": "us-east-1a"}, times=None,
                   error={"code": "InsufficientInstanceCapacity", "message": "We currently do not have sufficient t3.small capacity.", "http": 500})
        error = self.refused("InsufficientInstanceCapacity", self.launch, Placement={"AvailabilityZone": "us-east-1a"})
        self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 500)
        self.launch(Placement={"AvailabilityZone": "us-east-1b"})

    def test_a_lost_answer_is_one_machine_that_the_token_finds(self):
        self.fault(action="RunInstances", kind="lose-answer")
        with self.assertRaises(ConnectionClosedError):
            self.launch(ClientToken="lost", wait=False)
        first = self.cloud.admin("GET", "instances")
        again = self.launch(ClientToken="lost")
        self.assertEqual([entry["id"] for entry in first if entry["state"] != "terminated"], [again])

    def test_a_lost_answer_may_be_a_500(self):
        self.fault(action="CreateSecurityGroup", kind="lose-answer", http=500)
        self.refused("InternalError", self.ec2.create_security_group, GroupName="made anyway", Description="d")
        self.refused("InvalidGroup.Duplicate", self.ec2.create_security_group, GroupName="made anyway", Description="d")
        self.ec2.delete_security_group(GroupName="made anyway")

    def test_a_repeated_copy_is_the_first_one(self):
        volume = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=8)["VolumeId"]
        snapshot = self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        self.ec2.delete_volume(VolumeId=volume)
        self.snapshot_done(snapshot)
        source = self.register("source of a copy", snapshot)
        copy = {"Name": "copied once", "SourceImageId": source, "SourceRegion": "us-east-1", "ClientToken": "copy"}
        self.fault(action="CopyImage", kind="lose-answer", http=500)
        self.refused("InternalError", self.ec2.copy_image, **copy)
        image = self.ec2.copy_image(**copy)["ImageId"]
        self.assertEqual(self.ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["copied once"]}])["Images"][0]["ImageId"], image)
        self.refused("InvalidAMIName.Duplicate", self.ec2.copy_image, **{**copy, "ClientToken": "another"})
        self.image_available(image)
        self.drop_image(image)
        self.drop_image(source)

    def test_a_refusal_begins_with_its_call(self):
        self.fault(action="DescribeRegions", kind="deny", skip=1)
        self.ec2.describe_regions()
        for _ in range(2):
            self.refused("UnauthorizedOperation", self.ec2.describe_regions)

    def test_a_machine_that_dies_in_pending(self):
        self.fault(kind="pending-to-terminated", state_reason={"code": "Client.VolumeLimitExceeded", "message": "Client.VolumeLimitExceeded: Volume limit exceeded"})
        rule = self.fault(kind="hold", action="RunInstances")["id"]
        instance = self.launch(wait=False)
        self.assertEqual(self.describe(instance)["State"]["Name"], "pending")
        self.cloud.admin("DELETE", f"faults/{rule}")
        self.assertEqual(self.until(instance, "terminated")["StateReason"]["Code"], "Client.VolumeLimitExceeded")

    def test_ids_that_are_not_found_at_first(self):
        self.fault(kind="not-found-at-first", action="DescribeInstances", seconds=3600)
        instance = self.launch(wait=False)
        self.refused("InvalidInstanceID.NotFound", self.describe, instance)
        self.cloud.admin("POST", "clock", {"advance": 3600})
        self.describe(instance)

    def test_stale_answers(self):
        instance = self.launch()
        self.describe(instance)
        self.fault(kind="stale", action="DescribeInstances", seconds=3600)
        self.describe(instance)
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertEqual(self.describe(instance)["State"]["Name"], "running")
        self.cloud.admin("POST", "clock", {"advance": 3600})
        self.assertNotEqual(self.describe(instance)["State"]["Name"], "running")
        self.cloud.admin("DELETE", "faults")

    def test_a_machine_without_sshd_and_one_that_loses_it(self):
        self.fault(kind="no-sshd")
        silent = self.launch()
        self.wait_for(lambda: "Failed to start ssh.service" in self.console(silent), "no sshd")
        self.assertIn("refused", self.ssh(silent, "true", check=False, waits=False).stderr)
        rule = self.fault(kind="drop-ssh")["id"]
        instance = self.launch()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            lost = pool.submit(self.ssh, instance, "echo begun | sudo tee /dev/kmsg; sleep 3600", check=False)
            self.wait_for(lambda: "begun" in self.console(instance), "the command")
            self.cloud.admin("DELETE", f"faults/{rule}")
            self.assertEqual(lost.result().returncode, 255)

    def test_failed_images_and_snapshots(self):
        instance = self.launch()
        self.fault(kind="snapshot-error", action="CreateSnapshots", message="Given key ID is not accessible")
        snapshot = self.ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})["Snapshots"][0]["SnapshotId"]
        shown = self.wait_for(lambda: next((s for s in self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"] if s["State"] == "error"), None), "error")
        self.assertEqual(shown["StateMessage"], "Given key ID is not accessible")
        self.ec2.delete_snapshot(SnapshotId=snapshot)
        self.fault(kind="image-failed", action="CreateImage", state_reason={"code": "Server.InternalError"})
        image = self.ec2.create_image(InstanceId=instance, Name="fails", NoReboot=True)["ImageId"]
        self.wait_for(lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "failed", "failed")
        self.drop_image(image)

    def test_a_denied_action_says_what_is_missing(self):
        self.cloud.admin("POST", "permissions", {"deny": ["ec2:CreateTags", "ssm:GetParameter"]})
        self.addCleanup(self.cloud.admin, "POST", "permissions", {"deny": []})
        error = self.refused("UnauthorizedOperation", self.ec2.create_tags, Resources=["ami-12345678"], Tags=[{"Key": "a", "Value": "b"}])
        encoded = re.search(r"Encoded authorization failure message: (\S+)", str(error)).group(1)
        decoded = json.loads(self.cloud.client("sts").decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
        self.assertEqual((decoded["allowed"], decoded["context"]["action"]), (False, "ec2:CreateTags"))
        self.refused("UnauthorizedOperation", self.ec2.create_tags, DryRun=True, Resources=["ami-12345678"], Tags=[{"Key": "a", "Value": "b"}])
        self.refused("AccessDeniedException", self.cloud.client("ssm").get_parameter, Name="/x")

    def test_throttling(self):
        self.cloud.admin("POST", "throttle", {"enabled": True})
        self.addCleanup(self.cloud.admin, "POST", "throttle", {"enabled": False})
        image = self.ubuntu()
        codes = []
        for _ in range(7):
            try:
                self.ec2.run_instances(ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=1, DryRun=True)
            except ClientError as error:
                codes.append((error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))
        self.assertEqual(codes[:5], [("DryRunOperation", 412)] * 5)
        self.assertIn(("RequestLimitExceeded", 503), codes[5:])

    def test_a_call_that_hangs(self):
        self.fault(kind="hang", action="DescribeRegions", seconds=3600)
        with self.assertRaises(ReadTimeoutError):
            self.cloud.client(read_timeout=1).describe_regions()

    def test_calls_are_counted_without_secrets(self):
        self.cloud.admin("DELETE", "calls")
        ssm = self.cloud.client("ssm")
        ssm.put_parameter(Name="/secret", Value="hunter2", Type="SecureString")
        ssm.delete_parameter(Name="/secret")
        image = ssm.get_parameter(Name="/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id")["Parameter"]["Value"]
        self.assertEqual(image, self.ubuntu())
        calls = self.cloud.admin("GET", "calls")
        self.assertEqual([call["action"] for call in calls], ["PutParameter", "DeleteParameter", "GetParameter", "DescribeImages"])
        self.assertNotIn("hunter2", json.dumps(calls))
        self.assertNotIn("Credential", json.dumps(calls))

    def test_checkip(self):
        with urllib.request.urlopen(self.cloud.endpoint + "/checkip") as answer:
            self.assertEqual(answer.read(), b"127.0.0.1\n")

    def test_other_services_are_motos(self):
        s3 = self.cloud.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="key", Body=b"body")
        self.assertEqual(s3.get_object(Bucket="bucket", Key="key")["Body"].read(), b"body")
        role = self.cloud.client("iam").create_role(RoleName="baker", AssumeRolePolicyDocument="{}")["Role"]
        token = self.cloud.client("sts").assume_role(RoleArn="arn:aws:iam::111122223333:role/baker", RoleSessionName="session")["Credentials"]
        self.assertTrue(token["AccessKeyId"])
        self.assertEqual([entry["name"] for entry in self.cloud.admin("GET", "leaks")["123456789012/global"]["roles"]], [role["RoleName"]])
        self.cloud.client("iam").delete_role(RoleName="baker")


class Many(CloudCase):
    def test_forty_machines_at_once(self):
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            instances = list(pool.map(lambda _: self.launch(wait=False), range(40)))
            answers = list(pool.map(lambda instance: self.until(instance, "running") and self.ssh(instance, "hostname"), instances))
        self.assertEqual(len(set(answers)), 40)
        self.ec2.terminate_instances(InstanceIds=instances, SkipOsShutdown=True)
        for instance in instances:
            self.until(instance, "terminated")
        print(f"\n40 machines up, logged in and gone in {time.monotonic() - started:.1f} s")


class End(unittest.TestCase):
    def run_one(self, number):
        cloud = Cloud()
        ec2 = cloud.client()
        image = ec2.describe_images(Owners=["099720109477"])["Images"][0]["ImageId"]
        self.assertEqual(len(ec2.run_instances(ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=2)["Instances"]), 2)
        address = cloud.admin("GET", "instances")[0]["address"]
        wait_for(lambda: sandboxes(address))
        cloud.stop(number)
        wait_for(lambda: not sandboxes(address) and not os.path.exists(cloud.facts["state"]))

    def test_terminated_it_leaves_nothing(self):
        self.run_one(signal.SIGTERM)

    def test_killed_it_leaves_nothing(self):
        self.run_one(signal.SIGKILL)


def wait_for(check):
    end = time.monotonic() + LIMIT
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


def sandboxes(address):
    return subprocess.run(["pgrep", "-f", f"ListenAddress={address}"], capture_output=True, check=False).returncode == 0
