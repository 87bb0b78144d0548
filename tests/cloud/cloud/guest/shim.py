"""The guest's power and unit commands, one file under many names, which forwards them to init over its socket:

poweroff halt reboot shutdown systemctl systemd-run fsfreeze cloud-init
"""
import json
import os
import re
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOCKET = "/run/cloud-guest/init.sock"
REAL_SYSTEMCTL = HERE + "/systemctl.real"
OF_FILES = {"enable", "disable", "reenable", "preset", "preset-all", "is-enabled", "mask", "unmask", "link", "revert", "add-wants", "add-requires",
            "list-unit-files", "get-default", "set-default"}
UNITS = {"": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "minute": 60, "minutes": 60,
         "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400, "ms": 0.001, "us": 1e-6}


def fail(text, status=1):
    print(text, file=sys.stderr)
    sys.exit(status)


def ask(verb, **fields):
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(SOCKET)
            connection.sendall(json.dumps({"verb": verb, **fields}).encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
    except PermissionError:
        fail("Call to PowerOff failed: Interactive authentication required.", 1)
    except (OSError, ValueError) as error:
        fail(f"Failed to connect to bus: {error}", 1)
    if answer.get("error"):
        fail(answer["error"], answer["status"])
    return answer


def seconds(text):
    """Parses a systemd time span: `90`, `2h 30min`, `500ms`."""
    total, rest = 0.0, text.strip()
    for number, unit in re.findall(r"([0-9.]+)\s*([a-z]*)", rest):
        if unit not in UNITS:
            fail(f"Failed to parse time span: {text}")
        total += float(number) * UNITS[unit]
    if not re.fullmatch(r"(\s*[0-9.]+\s*[a-z]*)+", rest):
        fail(f"Failed to parse time span: {text}")
    return total


def power(name, argv):
    action = name
    for arg in argv:
        if arg in ("-p", "--poweroff"):
            action = "poweroff"
        elif arg == "--halt":
            action = "halt"
        elif arg == "--reboot":
            action = "reboot"
        elif arg in ("-w", "--wtmp-only"):
            return
    ask("power", action=action)


def shutdown(argv):
    action, when = "poweroff", None
    for arg in argv:
        if arg == "-c":
            ask("cancel-shutdown")
            return
        if arg in ("-r", "--reboot"):
            action = "reboot"
        elif arg in ("-H", "--halt"):
            action = "halt"
        elif arg in ("-h", "-P", "--poweroff", "-k", "--no-wall"):
            continue
        elif when is None:
            when = arg
    when = when or "+1"
    if when == "now":
        delay = 0.0
    elif re.fullmatch(r"\+?\d+", when):
        delay = int(when.lstrip("+")) * 60.0
    elif re.fullmatch(r"\d{1,2}:\d{2}", when):
        now = time.localtime()
        hours, minutes = (int(part) for part in when.split(":"))
        delay = ((hours * 60 + minutes - now.tm_hour * 60 - now.tm_min) % 1440) * 60.0
    else:
        fail(f"Failed to parse time specification: {when}")
    ask("power", action=action, delay=delay)


def systemctl(argv):
    words = [arg for arg in argv if not arg.startswith("-")]
    quiet = any(arg in ("-q", "--quiet") for arg in argv)
    verb, units = (words[0] if words else "status"), words[1:]
    if verb in ("poweroff", "halt", "reboot"):
        ask("power", action=verb)
    elif verb in ("stop", "cancel", "kill"):
        answer = ask("stop", units=units)
        for unit in answer.get("missing", []):
            if not service(unit, "stop"):
                print(f"Failed to stop {unit}: Unit {unit} not loaded.", file=sys.stderr)
                sys.exit(5)
    elif verb in ("is-active", "is-failed"):
        answer = ask("active", units=units)
        if not quiet:
            print("\n".join(answer["states"]))
        sys.exit(answer["status"] if verb == "is-active" else 1)
    elif verb == "list-timers":
        for unit, left, argv_of in ask("timers")["timers"]:
            print(f"{left}s left\t{unit}.timer\t{unit}.service\t{' '.join(argv_of)}")
    elif verb == "is-system-running":
        print("running")
    elif verb in ("daemon-reload", "reset-failed", "daemon-reexec", "set-property"):
        return
    elif verb in ("start", "restart", "reload", "try-restart", "reload-or-restart", "try-reload-or-restart"):
        for unit in units:
            if not service(unit, "start" if verb == "start" else "restart"):
                fail(f"Failed to {verb} {unit}: Unit {unit} not found.", 5)
    else:
        # There is no systemd: commands that only work on files are marked as offline; others report that it is not
        # running.
        offline = {"SYSTEMD_OFFLINE": "1"} if verb in OF_FILES else {}
        os.execve(REAL_SYSTEMCTL, ["systemctl", *argv], {**os.environ, **offline})


def service(unit, verb):
    name = unit[:-8] if unit.endswith(".service") else unit
    if name in ("ssh", "sshd"):
        return True
    script = "/etc/init.d/" + name
    if not os.access(script, os.X_OK):
        return False
    sys.exit(subprocess.run([script, verb], check=False).returncode)


def systemd_run(argv):
    unit = delay = None
    environment = {}
    quiet = wait = False
    taking = {"--unit", "-u", "--property", "-p", "--description", "--timer-property", "--slice", "--uid", "--gid", "--setenv", "-E"}
    while argv and argv[0].startswith("-"):
        arg = argv.pop(0)
        name, equals, value = arg.partition("=")
        if arg == "--":
            break
        if name in taking or name in ("--on-active", "--on-boot"):
            value = value if equals else argv.pop(0)
        if name in ("--unit", "-u"):
            unit = value
        elif name in ("--on-active", "--on-boot"):
            delay = seconds(value)
        elif name in ("--setenv", "-E"):
            key, _, text = value.partition("=")
            environment[key] = text
        elif name in ("-q", "--quiet"):
            quiet = True
        elif name in ("--wait", "-P", "--pipe", "--scope", "-t", "--pty"):
            wait = True
    if not argv:
        fail("Command line to execute required.")
    if os.geteuid() != 0:
        fail("Failed to start transient timer unit: Interactive authentication required.")
    if wait:
        os.execvpe(argv[0], argv, {**os.environ, **environment})
    answer = ask("run", unit=unit, delay=delay, argv=argv, environment=environment)
    if not quiet:
        if delay is None:
            print(f"Running as unit: {answer['unit']}.service", file=sys.stderr)
        else:
            print(f"Running timer as unit: {answer['unit']}.timer\nWill run service as unit: {answer['unit']}.service", file=sys.stderr)


def fsfreeze(argv):
    freeze = None
    for arg in argv:
        if arg in ("-f", "--freeze"):
            freeze = True
        elif arg in ("-u", "--unfreeze"):
            freeze = False
    target = argv[-1] if argv else ""
    if freeze is None or not os.path.isdir(target):
        fail("fsfreeze: no action specified" if freeze is None else f"fsfreeze: cannot open {target}: No such file or directory")
    if os.geteuid() != 0:
        fail(f"fsfreeze: {target}: freeze failed: Operation not permitted")
    ask("freeze", freeze=freeze)


def cloud_init(argv):
    verb = argv[0] if argv else "--help"
    if verb in ("--version", "-v"):
        print("/usr/bin/cloud-init 24.4")
    elif verb == "status":
        while True:
            state = {"status": "running"}
            if os.path.exists("/run/cloud-init/status.json"):
                try:
                    with open("/run/cloud-init/status.json", encoding="utf-8") as file:
                        state = json.load(file)
                except ValueError:
                    pass
            if state["status"] != "running" or not ({"--wait", "-w"} & set(argv)):
                break
            print(".", end="", flush=True)
            time.sleep(0.25)
        print(f"\nstatus: {state['status']}" if {"--wait", "-w"} & set(argv) else f"status: {state['status']}")
        if {"--long", "-l"} & set(argv):
            print("detail:\nDataSourceEc2Local")
            for error in state.get("errors", []):
                print(f"- {error}")
        sys.exit(1 if state["status"] == "error" else 0)
    elif verb == "clean":
        if os.geteuid() != 0:
            fail("Error:\nUnable to clean: permission denied")
        sys.path.insert(0, HERE)
        import cloudinit
        flags = set(argv[1:])
        cloudinit.clean(logs=bool(flags & {"-l", "--logs"}), seed=bool(flags & {"-s", "--seed"}), machine_id="--machine-id" in flags)
        if flags & {"-r", "--reboot"}:
            ask("power", action="reboot")
    elif verb == "query":
        with open("/var/lib/cloud/data/instance-id", encoding="utf-8") as file:
            print(file.read().strip())
    else:
        fail(f"usage: cloud-init [-h] [--version] {{clean,status,query}}\nunknown command {verb}", 2)


def main():
    name, argv = sys.argv[1], sys.argv[2:]
    if name in ("poweroff", "halt", "reboot"):
        power(name, argv)
    else:
        {"shutdown": shutdown, "systemctl": systemctl, "systemd-run": systemd_run, "fsfreeze": fsfreeze, "cloud-init": cloud_init}[name](argv)


main()
