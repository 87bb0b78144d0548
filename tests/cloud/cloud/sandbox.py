"""Runs an instance's processes in the product's own sandbox."""
import json
import os
import subprocess

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILT = ("target/debug/ami-bake-sandbox", "target/debug/ami-bake", "target/release/ami-bake")


def binary():
    """The program whose `__sandbox` runs the instances: AMI_BAKE_BIN, else the last one built here."""
    given = os.environ.get("AMI_BAKE_BIN")
    for path in [given] if given else [os.path.join(REPOSITORY, name) for name in BUILT]:
        if os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise SystemExit(f"no program for the sandboxes at {given}" if given else "no program for the sandboxes: set AMI_BAKE_BIN, or cargo build -p ami-bake-local")


def start(spec, directory):
    """Starts the sandbox; the process lives as long as the guest's init. Its standard output is the console.

    The calling thread must live as long as the process: the kernel sends the parent-death signal when it ends.
    """
    path = os.path.join(directory, "spec.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(spec, file)
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", binary(), "__sandbox", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=open(os.path.join(directory, "sandbox.log"), "ab"), start_new_session=True,
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})
