"""A cloud for a test case, its clients, and SSH into its instances."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SSH_OPTIONS = ["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=60"]
# Maximum seconds of a wait; only a machine that stands still takes that long.
LIMIT = 120


class Cloud:
    """The cloud as a process, as in the product's tests."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([sys.executable, "-m", "cloud", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "PYTHONPATH": ROOT})
        line = self.process.stdout.readline()
        self.facts = json.loads(line)
        self.endpoint = self.facts["endpoint"]

    def client(self, service="ec2", region="us-east-1", **options):
        return boto3.client(service, region_name=region, endpoint_url=self.endpoint, aws_access_key_id="test", aws_secret_access_key="test",
                            config=Config(retries={"max_attempts": 0, "mode": "standard"}, **options))

    def admin(self, method, path, value=None):
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"{self.endpoint}/_cloud/{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return json.loads(answer.read())

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(LIMIT)
        self.process.stdout.close()


class CloudCase(unittest.TestCase):
    """One cloud for the class; every test must clean up after itself, which this checks."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud(*cls.arguments)
        cls.ec2 = cls.cloud.client()
        cls.directory = tempfile.TemporaryDirectory()
        cls.key = os.path.join(cls.directory.name, "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.key], check=True)
        with open(cls.key + ".pub", "rb") as file:
            cls.public_key = file.read()

    @classmethod
    def tearDownClass(cls):
        cls.cloud.stop()
        cls.directory.cleanup()

    def setUp(self):
        self.ec2.import_key_pair(KeyName="test", PublicKeyMaterial=self.public_key)
        self.addCleanup(self.ec2.delete_key_pair, KeyName="test")
        self.addCleanup(self.cloud.admin, "DELETE", "faults")

    def ubuntu(self, ec2=None):
        images = (ec2 or self.ec2).describe_images(Owners=["099720109477"], Filters=[{"Name": "name", "Values": ["ubuntu/images/hvm-ssd-gp3/ubuntu-noble-*"]}])["Images"]
        return max(images, key=lambda image: image["CreationDate"])["ImageId"]

    def launch(self, image=None, wait=True, **options):
        options = {"InstanceType": "t3.small", "KeyName": "test", "MinCount": 1, "MaxCount": 1, **options}
        instance = self.ec2.run_instances(ImageId=image or self.ubuntu(), **options)["Instances"][0]["InstanceId"]
        self.addCleanup(self.terminate, instance)
        if wait:
            self.until(instance, "running")
        return instance

    def describe(self, instance):
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def is_alive(self, instance):
        """Whether the guest's processes are running, whatever EC2 says."""
        return next(entry["alive"] for entry in self.cloud.admin("GET", "instances") if entry["id"] == instance)

    def until(self, instance, state):
        def there():
            found = self.describe(instance)
            return found if found["State"]["Name"] == state else None
        return self.wait_for(there, f"{instance} {state}")

    def wait_for(self, check, what):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            found = check()
            if found:
                return found
            time.sleep(0.05)
        self.fail(f"not in {LIMIT} s: {what}\n{json.dumps(self.cloud.admin('GET', 'instances'), indent=1)[-4000:]}")

    def terminate(self, *instances):
        self.ec2.terminate_instances(InstanceIds=list(instances), SkipOsShutdown=True)
        for instance in instances:
            self.until(instance, "terminated")

    def ssh(self, instance, command, user="ubuntu", known_hosts=None, check=True, waits=True, stdin=None):
        """Runs a command over a real ssh; waits for the port unless `wait` is off."""
        address = self.describe(instance)["PublicIpAddress"]
        strict = ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known_hosts}"] if known_hosts else [
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        end = time.monotonic() + (LIMIT if waits else 0)
        while True:
            done = subprocess.run(["ssh", *SSH_OPTIONS, *strict, "-i", self.key, f"{user}@{address}", command], capture_output=True, text=True, input=stdin, check=False)
            if done.returncode != 255 or "refused" not in done.stderr or time.monotonic() > end:
                break
            time.sleep(0.1)
        if check:
            self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
            return done.stdout
        return done

    def console(self, instance):
        return self.ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")

    def refused(self, code, work, *arguments, **options):
        with self.assertRaises(ClientError) as caught:
            work(*arguments, **options)
        self.assertEqual(caught.exception.response["Error"]["Code"], code, str(caught.exception))
        return caught.exception

    def snapshot_done(self, snapshot):
        return self.wait_for(lambda: self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"] == "completed", f"{snapshot} completed")

    def image_available(self, image):
        return self.wait_for(lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", f"{image} available")

    def register(self, name, snapshot, **options):
        options = {"Architecture": "x86_64", "VirtualizationType": "hvm", "EnaSupport": True, "RootDeviceName": "/dev/sda1",
                   "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}], **options}
        image = self.ec2.register_image(Name=name, **options)["ImageId"]
        self.image_available(image)
        return image

    def drop_image(self, image):
        answer = self.ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
        return {entry["SnapshotId"]: entry["ReturnCode"] for entry in answer["DeleteSnapshotResults"]}
