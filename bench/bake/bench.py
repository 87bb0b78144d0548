"""The benchmark that bench/bake/run starts; see bench/README.md."""
import argparse
import collections
import concurrent.futures
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

from cloud import Cloud
from floor import irreducible
from work import manifest, site, template

BINARY = os.environ["AMI_BAKE_BIN"]
POLLS = {"DescribeInstances", "DescribeSnapshots", "GetConsoleOutput"}
MANY = 40


def watched(command, **options):
    """(exit code, seconds, peak resident MB) of a command; VmHWM, since rusage counts the parent before exec."""
    begun = time.monotonic()
    process = subprocess.Popen(command, **options)
    peak = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
                peak = max([peak] + [int(line.split()[1]) for line in file if line.startswith("VmHWM")])
        except OSError:
            pass
        time.sleep(0.02)
    return process.returncode, time.monotonic() - begun, peak / 1024


def fail(what, folder):
    with open(os.path.join(folder, "output"), encoding="utf-8", errors="replace") as file:
        raise SystemExit(f"{what} failed:\n{file.read()[-4000:]}")


def bake(folder, images=1, fast=True, capture=None, throttle=False):
    """Runs one bake on a cloud of its own."""
    site(folder)
    with open(os.path.join(folder, "bake.yml"), "w", encoding="utf-8") as file:
        file.write(manifest(images, fast, capture))
    with Cloud(*(["--throttle"] if throttle else [])) as cloud, open(os.path.join(folder, "output"), "w", encoding="utf-8") as output:
        code, seconds, peak = watched([BINARY, "bake"], cwd=folder, env=cloud.environment(folder), stdout=output, stderr=output)
        records = {name: cloud.get(name) for name in ("calls", "transitions", "latency")}
    for name, record in records.items():
        with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
    if code:
        fail("ami-bake bake", folder)
    with open(os.path.join(folder, "bake-report.json"), encoding="utf-8") as file:
        report = json.load(file)
    parts = irreducible(images, records["transitions"], records["latency"], report, proven=capture != "stopped")
    return {"seconds": seconds, "peak": peak, "floor": sum(parts.values()), "parts": parts, "calls": records["calls"], "report": report}


def packer(folder):
    site(folder)
    with Cloud("--ssh-rsa") as cloud, open(os.path.join(folder, "output"), "w", encoding="utf-8") as output:
        with open(os.path.join(folder, "web.json"), "w", encoding="utf-8") as file:
            file.write(template(cloud.endpoint))
        environment = {**cloud.environment(folder), "CHECKPOINT_DISABLE": "1", "PACKER_LOG": "1", "PACKER_LOG_PATH": os.path.join(folder, "packer.log")}
        code, seconds, peak = watched(["packer", "build", "-color=false", "web.json"], cwd=folder, env=environment, stdout=output, stderr=output)
        calls = cloud.get("calls")
    if code:
        fail("packer build", folder)
    return {"seconds": seconds, "peak": peak, "calls": calls}


def check(folder, images=200, times=15):
    """Milliseconds of `check`: the medians of wall time and of processor time, which does not depend on other work."""
    site(folder)
    with open(os.path.join(folder, "bake.yml"), "w", encoding="utf-8") as file:
        file.write(manifest(images))
    wall, processor = [], []
    for _ in range(times):
        begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([BINARY, "check"], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall.append((time.monotonic() - begun) * 1000)
        processor.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
    return statistics.median(wall), statistics.median(processor)


def counted(calls):
    """Calls by action, and the number of calls that are not polls: descriptions of images are, once the first
    machine is requested."""
    by_action = collections.Counter(call["action"] for call in calls)
    first = next(number for number, call in enumerate(calls) if call["action"] == "RunInstances")
    polls = sum(1 for number, call in enumerate(calls) if call["action"] in POLLS or (number > first and call["action"] == "DescribeImages"))
    return by_action, len(calls) - polls, polls


def row(name, result, goal):
    print(f"| {name} | {result['seconds']:.1f} s | {result['floor']:.1f} s | **{result['seconds'] / result['floor']:.3f}** | {goal} | {result['peak']:.0f} MB |", flush=True)


def stages(result):
    for image in result["report"]["images"][:1]:
        print("  timeline:", ", ".join(f"{stage['stage']} {stage['begin']:.1f}+{stage['took']:.1f}" for stage in image["stages"]))
    print("  irreducible:", ", ".join(f"{name} {seconds:.1f}" for name, seconds in result["parts"].items()))


def contention(many, one):
    """Seconds that an image's guests took longer for their own work, on average, because all of them share this
    host."""
    def guests(result):
        images = result["report"]["images"]
        return sum(stage["took"] for image in images for stage in image["stages"] if stage["stage"] in ("connect", "seal", "test")) / len(images)
    return guests(many) - guests(one)


def main():
    parser = argparse.ArgumentParser(prog="bench/bake/run")
    parser.add_argument("--quick", action="store_true", help="one image with the defaults, and check")
    parser.add_argument("--only", help="of check,one,knobs,packer,many,many-knobs", default="")
    parser.add_argument("--keep", metavar="DIR", help="leave reports, calls and logs here")
    options = parser.parse_args()
    parts = set(options.only.split(",")) if options.only else ({"check", "one"} if options.quick else {"check", "one", "knobs", "packer", "many", "many-knobs"})
    work = options.keep or tempfile.mkdtemp(prefix="bench-bake-")

    def folder(name):
        path = os.path.join(work, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    print(f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {os.cpu_count()} processors, Linux {platform.release()}, {os.path.getsize(BINARY) / 1e6:.1f} MB program, load {os.getloadavg()[0]:.1f}\n")
    if "check" in parts:
        wall, processor = check(folder("check"))
        print(f"check of 200 images: {wall:.0f} ms, {processor:.0f} ms of them on the processor (medians of 15; goal: 50 ms)\n")
    print("| bake | wall | irreducible | ratio | goal | peak memory |\n|---|---|---|---|---|---|", flush=True)
    # Single bakes wait nearly all of their time, so running them side by side does not slow them down.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = {}
        if "one" in parts:
            jobs["one image"] = pool.submit(bake, folder("one"))
        if "knobs" in parts:
            jobs["one image, `fast: false`"] = pool.submit(bake, folder("slow-disk"), fast=False)
            jobs["one image, `capture: stopped`"] = pool.submit(bake, folder("stopped"), capture="stopped")
            jobs["one image, both off"] = pool.submit(bake, folder("both-off"), fast=False, capture="stopped")
        rival = pool.submit(packer, folder("packer")) if "packer" in parts and shutil.which("packer") else None
        results = {name: job.result() for name, job in jobs.items()}
        rival = rival.result() if rival else None
    for name, result in results.items():
        row(name, result, 1.05)
    if "many" in parts:
        results["many"] = bake(folder("many"), images=MANY, throttle=True)
        row(f"{MANY} images, token buckets", results["many"], 1.1)
        if "one image" in results:
            late = contention(results["many"], results["one image"])
            ratio = (results["many"]["seconds"] - late) / results["many"]["floor"]
            print(f"  ({MANY} guests share {os.cpu_count()} processors: connect, seal and test took {late:.1f} s longer than alone; ratio without that {ratio:.3f})", flush=True)
    if "many-knobs" in parts:
        row(f"{MANY} images, token buckets, both off", bake(folder("many-both-off"), images=MANY, fast=False, capture="stopped", throttle=True), 1.1)
    for name in ("one image", "many"):
        if name in results:
            by_action, others, polls = counted(results[name]["calls"])
            throttled = sum(1 for call in results[name]["calls"] if call["error"] in ("RequestLimitExceeded", "Throttling"))
            print(f"\n{name}: {others} calls and {polls} polls, {throttled} throttled")
            print("  " + ", ".join(f"{action} {count}" for action, count in by_action.most_common()))
            stages(results[name])
    if rival:
        _, others, polls = counted(rival["calls"])
        print(f"\nPacker {version()}: {rival['seconds']:.1f} s without a test machine, {rival['peak']:.0f} MB in its first process, {others} calls and {polls} polls")
        for name, result in results.items():
            if name.startswith("one"):
                test = next(stage["took"] for stage in result["report"]["images"][0]["stages"] if stage["stage"] == "test")
                print(f"  against {name}: {rival['seconds'] / result['seconds']:.2f} × with its test, {rival['seconds'] / (result['seconds'] - test):.2f} × without")
    if not options.keep:
        shutil.rmtree(work, ignore_errors=True)


def version():
    return subprocess.run(["packer", "version"], capture_output=True, text=True, check=True).stdout.split()[1].lstrip("v")


main()
