"""Runs an instance's processes in a sandbox: the product's own where AMI_BAKE_BIN names it, else a stand-in."""
import json
import os
import subprocess
import sys


def start(spec, directory):
    """Starts the sandbox; the process lives as long as the guest's init. Its standard output is the console.

    The calling thread must live as long as the process: the kernel sends the parent-death signal when it ends.
    """
    path = os.path.join(directory, "spec.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(spec, file)
    binary = os.environ.get("AMI_BAKE_BIN")
    if binary:
        command = [binary, "__sandbox", path]
    else:
        command = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL",
                   "/usr/bin/python3", "-IS", os.path.join(os.path.dirname(os.path.abspath(__file__)), "standin.py"), path]
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=open(os.path.join(directory, "sandbox.log"), "ab"), start_new_session=True,
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})
