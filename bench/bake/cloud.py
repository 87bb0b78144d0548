"""Starts a test cloud for one run."""
import json
import os
import subprocess
import sys
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
# Folders that a cloud image does not have. Each guest walks its disk, and all of them share this host's processors.
HIDDEN = ["/usr/lib/google-cloud-sdk", "/usr/lib/node_modules", "/usr/include", "/usr/share/man", "/usr/share/icons", "/usr/share/vim"]
PROFILE = os.path.join(ROOT, "tests", "cloud", "profiles", "aws-typical.json")


class Cloud:
    def __init__(self, *options):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cloud", "--latency", PROFILE, *(f"--hide={directory}" for directory in HIDDEN), *options],
            cwd=os.path.join(ROOT, "tests", "cloud"), stdout=subprocess.PIPE, text=True)
        self.endpoint = json.loads(self._process.stdout.readline())["endpoint"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)

    def get(self, name):
        with urllib.request.urlopen(f"{self.endpoint}/_cloud/{name}", timeout=60) as answer:
            return json.load(answer)

    def environment(self, home):
        return {
            "PATH": os.environ["PATH"], "HOME": home, "XDG_STATE_HOME": os.path.join(home, "state"),
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "not-a-secret-of-anybody",
            "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AMI_BAKE_CHECKIP_URL": f"{self.endpoint}/checkip",
        }
