"""A whole bake of each common source: launch, build, seal, capture, test, registration."""
import json
import os
import subprocess
import tempfile
import time

# name: owner, pattern of the name
SOURCES = {
    "Amazon Linux 2023": ("137112412989", "al2023-ami-2023*-x86_64"),
    "Ubuntu 24.04": ("099720109477", "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"),
    "Debian 12": ("136693071363", "debian-12-amd64-*"),
    "Debian 13": ("136693071363", "debian-13-amd64-*"),
    "RHEL 9": ("309956199498", "RHEL-9.*_HVM-*-x86_64-*"),
}


def manifest(account, name, machine):
    owner, pattern = SOURCES[name]
    image = name.lower().replace(" ", "-").replace(".", "")
    return {
        "format": 1, "name": f"account-check-{account.number}", "version": "1.0.0", "platform": "aws",
        "aws": {"region": account.region, "tags": {tag["Key"]: tag["Value"] for tag in account.tag if tag["Key"] != "Name"}},
        "images": {image: {
            "source": {"ami": {"owner": owner, "name": pattern}}, "machine": {"type": ["t3.small", "t3a.small"], **machine},
            "build": [{"run": "echo baked > /etc/ami-bake-account-check"}],
            "test": [{"run": "grep -q baked /etc/ami-bake-account-check"}],
        }},
    }


def bake(account, binary, name, machine):
    """A row for one source."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "bake.yml"), "w", encoding="utf-8") as file:
            json.dump(manifest(account, name, machine), file)
        begun = time.monotonic()
        done = subprocess.run([binary, "bake"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        seconds = time.monotonic() - begun
        last = "; ".join([line for line in done.stdout.splitlines() if line.startswith("error")][:2] or done.stdout.splitlines()[-1:])
        evidence = f"{seconds:.0f} s" if done.returncode == 0 else f"exit code {done.returncode} after {seconds:.0f} s: {last}"
        return f"ami-bake bakes {name}", done.returncode == 0, evidence
