"""`python -m cloud`: runs the test cloud until it gets a signal; see tests/cloud/README.md."""
import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading

from . import sandbox

# Moto reads these when it is imported.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")


def arguments():
    parser = argparse.ArgumentParser(prog="python -m cloud", description="EC2, STS, SSM, S3, IAM and AutoScaling with instances that are real sandboxes.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--state", metavar="DIR", help="directory of all state; removed at the end (default: a new temporary one)")
    parser.add_argument("--latency", metavar="FILE", help="JSON: transition name to seconds, and `calls`: group to seconds (default: quick)")
    parser.add_argument("--throttle", action="store_true", help="count calls against EC2's token buckets")
    parser.add_argument("--ssh-rsa", action="store_true", help="sshd of instances takes signatures of the old kind ssh-rsa (Packer 1.6)")
    parser.add_argument("--hide", metavar="DIR", action="append", default=[], help="a directory of the host that instances see empty; may be given again")
    return parser.parse_args()


def prepare(state):
    """Creates the state directory on a file system other than the root's: an overlay accepts no two lower layers of
    which one contains the other, and the lowest layer of every instance is the host's whole root."""
    os.makedirs(state, exist_ok=True)
    if os.stat(state).st_dev == os.stat("/").st_dev:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=70%,nr_inodes=0", "cloud-state", state], check=True)
    os.chmod(state, 0o755)


def janitor(state):
    """Starts a process that removes the state when this one has ended in any way; the sandboxes end by themselves."""
    script = ('cat >/dev/null; n=0; while [ $n -lt 50 ] && [ -e "$1" ]; do mountpoint -q "$1" && umount -l "$1"; '
              'rm -rf -- "$1" 2>/dev/null; n=$((n+1)); sleep 0.05; done')
    return subprocess.Popen(["/bin/sh", "-c", script, "sh", state], stdin=subprocess.PIPE, start_new_session=True)


def main():
    options = arguments()
    if os.geteuid() != 0:
        sys.exit("the test cloud needs root: its instances are namespaces and overlay mounts")
    sandbox.binary()  # reports a missing program at once
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    state = os.path.abspath(options.state or tempfile.mkdtemp(prefix="cloud-"))
    prepare(state)
    broom = janitor(state)

    from .admin import Admin
    from .ec2.install import install
    from .latency import Latency
    from .machine import free_address
    from .leaks import Leaks
    from .server import serve
    from .cloud_state import CloudState

    free_address()
    cloud = CloudState(state, Latency(options.latency), options.throttle, options.ssh_rsa, options.hide)
    install(cloud)
    server = serve(Admin(cloud, Leaks(cloud)), cloud.lock, "127.0.0.1", options.port)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    print(json.dumps({"ready": True, "port": server.server_port, "endpoint": address, "state": state, "pid": os.getpid()}), flush=True)
    stopping.wait()
    server.shutdown()
    cloud.stop()
    broom.stdin.close()
    broom.wait(10)
    # Threads of requests that still sleep must not keep the process alive.
    os._exit(0)


main()
