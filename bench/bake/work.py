"""The workload for both programs: one script and a folder on Canonical's Ubuntu, and a test of the result."""
import json
import os

OWNER = "099720109477"
NAME = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
# Five seconds of waiting stand for the installation of packages, without a mirror for forty machines.
SCRIPT = "mkdir -p /opt/app\nseq 1 100000 | sha256sum > /opt/app/sum\nsleep 5\n"


def site(folder):
    os.makedirs(os.path.join(folder, "site"), exist_ok=True)
    for number in range(20):
        with open(os.path.join(folder, "site", f"{number}.html"), "w", encoding="utf-8") as file:
            file.write(f"page {number}\n" * 200)


def manifest(images, fast=True, capture=None):
    """The manifest as JSON, which is YAML too. `capture` and `fast` are the parameters."""
    machine = {"disk": {"fast": fast}}
    image = {
        "source": {"ami": {"owner": OWNER, "name": NAME}},
        "machine": machine,
        "build": [{"name": "Application", "run": SCRIPT}, {"upload": "site/", "to": "/srv/www"}],
        "test": [{"expect": {"file": {"path": "/opt/app/sum"}}}, {"expect": {"file": {"path": "/srv/www/0.html", "contains": "page 0"}}}],
    }
    if capture:
        image["capture"] = capture
    names = ["web"] if images == 1 else [f"web-{number:02}" for number in range(1, images + 1)]
    return json.dumps({"format": 1, "name": "shop", "platform": "aws", "aws": {"region": "us-east-1"},
                       "images": {name: image for name in names}}, indent=1)


def template(endpoint):
    """The equivalent Packer template, as in Packer's own guide; it boots no machine from the image."""
    builder = {
        "type": "amazon-ebs", "access_key": "test", "secret_key": "not-a-secret-of-anybody", "region": "us-east-1",
        "custom_endpoint_ec2": endpoint, "skip_region_validation": True, "skip_metadata_api_check": True,
        "skip_credential_validation": True,
        "source_ami_filter": {"filters": {"name": NAME, "virtualization-type": "hvm", "root-device-type": "ebs"},
                              "owners": [OWNER], "most_recent": True},
        "instance_type": "t3.small", "ssh_username": "ubuntu", "ami_name": "packer-web-1",
        "temporary_security_group_source_cidrs": ["127.0.0.0/8"],
    }
    return json.dumps({"builders": [builder], "provisioners": [
        {"type": "shell", "inline": SCRIPT.strip().split("\n"), "execute_command": "chmod +x {{ .Path }}; sudo {{ .Vars }} {{ .Path }}"},
        {"type": "file", "source": "site/", "destination": "/tmp/www"},
        {"type": "shell", "inline": ["sudo mv /tmp/www /srv/www"]},
    ]})
