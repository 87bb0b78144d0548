"""The benchmark of whole bakes that bench/local/run starts: in a sandbox and in a Docker engine."""
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = str(pathlib.Path(os.environ["AMI_BAKE_BIN"]).resolve())
BASE = "ami-bake-bench/base:1"
ROUNDS = 7
# The first is the one that the goal is about; the other two do the same on both platforms.
BAKES = [
    ("hello, local", "hello", ["--platform", "local"]),
    ("docker-parity, local", "docker-parity", ["--platform", "local"]),
    ("docker-parity, docker", "docker-parity", ["--platform", "docker", "--set", f"base={BASE}"]),
]


@contextlib.contextmanager
def engine():
    """Address of an engine with the base image in it; None without Docker."""
    if not shutil.which("dockerd") or not shutil.which("docker"):
        yield None
        return
    host, daemon = os.environ.get("DOCKER_HOST"), None
    folder = tempfile.mkdtemp(prefix="ami-bake-bench-")
    try:
        if not host:
            host = f"unix://{folder}/docker.sock"
            options = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
            with open(f"{folder}/log", "wb") as log:
                daemon = subprocess.Popen(["dockerd", *options, "-H", host, "--bridge=none", "--iptables=false"], stdout=log, stderr=log)
            until = time.monotonic() + 60
            while subprocess.run(["docker", "--host", host, "version"], capture_output=True, check=False).returncode:
                if time.monotonic() > until or daemon.poll() is not None:
                    raise SystemExit(pathlib.Path(folder, "log").read_text(encoding="utf-8")[-2000:])
                time.sleep(0.1)
        with subprocess.Popen(["bash", ROOT / "crates/testkit/src/docker/base.sh"], stdout=subprocess.PIPE) as base:
            subprocess.run(["docker", "--host", host, "import", "-", BASE], stdin=base.stdout, stdout=subprocess.DEVNULL, check=True)
        driver = subprocess.check_output(["docker", "--host", host, "info", "--format", "{{.Driver}}"], text=True).strip()
        yield host, driver
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait()
            # The engine leaves its network namespace mounted.
            subprocess.run(["umount", f"{folder}/exec/netns/default"], capture_output=True, check=False)
        elif host:
            subprocess.run(["docker", "--host", host, "rmi", "--force", BASE], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def bake(folder, example, arguments, host):
    """(seconds of the whole call, seconds of its steps) of a bake."""
    environment = {**os.environ, "XDG_STATE_HOME": folder, **({"DOCKER_HOST": host} if host else {})}
    begun = time.monotonic()
    command = [BINARY, "bake", ROOT / "examples" / example / "bake.yml", "--force", "--json", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    took = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"{example} failed:\n{done.stderr[-2000:]}{done.stdout[-2000:]}")
    with open(os.path.join(folder, "bake-report.json"), encoding="utf-8") as file:
        image = json.load(file)["images"][0]
    stages = {stage["stage"]: stage["took"] for stage in image["stages"]}
    return took, sum(step["took"] for step in image["steps"]), stages


def main():
    """Runs all bakes and prints a row for each."""
    with engine() as found:
        host, driver = found or (None, None)
        print(f"\nwhole bakes with tests, median of {ROUNDS}, load {os.getloadavg()[0]:.1f}, storage driver {driver}")
        print(f"{'':<26}{'all':>8}{'steps':>8}{'rest':>8}   stages")
        for title, example, arguments in BAKES:
            if "docker" in arguments and not host:
                print(f"{title:<26} there is no Docker here")
                continue
            with tempfile.TemporaryDirectory() as folder:
                bake(folder, example, arguments, host)
                rounds = [bake(folder, example, arguments, host) for _ in range(ROUNDS)]
            middle = [statistics.median(values) for values in ([row[0] for row in rounds], [row[1] for row in rounds], [row[0] - row[1] for row in rounds])]
            names = ["launch", "seal", "capture", "test"]
            stages = ", ".join(f"{name} {statistics.median([row[2].get(name, 0) for row in rounds]):.2f}" for name in names)
            print(f"{title:<26}{middle[0]:>6.2f} s{middle[1]:>6.2f} s{middle[2]:>6.2f} s   {stages}")


main()
