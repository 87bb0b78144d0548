"""The parts of cloud-init that matter for an image bake: first-boot state, keys, files, scripts.

`early` runs before sshd is up, `final` after it. State is where cloud-init keeps it (/var/lib/cloud), so that an image
that was cleaned badly or not at all shows it on its next boot.
"""
import glob
import json
import os
import pwd
import grp
import shutil
import subprocess
import time

STATE = "/var/lib/cloud"
RUN = "/run/cloud-init"
HOST_KEYS = "/etc/ssh/ssh_host_*key*"
PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
ROOT_PREFIX = ("no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command=\"echo 'Please login as the user "
               "\\\"{user}\\\" rather than the user \\\"root\\\".';echo;sleep 10;exit 142\" ")


def prepare_system(boot):
    """The work of systemd before cloud-init: machine ID, host name, an empty /tmp."""
    path = "/etc/machine-id"
    if not os.path.exists(path) or not open(path, encoding="utf-8").read().strip():
        with open(path, "w", encoding="utf-8") as file:
            file.write(os.urandom(16).hex() + "\n")
    with open("/etc/hostname", "w", encoding="utf-8") as file:
        file.write(boot["hostname"] + "\n")
    # The VPC's resolver knows the machine's own name; here the file must contain it.
    with open("/etc/hosts", "w", encoding="utf-8") as file:
        file.write(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {boot['hostname']}\n")
    for directory in ("/tmp", "/var/tmp"):
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o1777)
    for entry in os.scandir("/tmp"):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


def early(boot, log):
    os.makedirs(RUN, exist_ok=True)
    write(RUN + "/status.json", json.dumps({"status": "running"}))
    first = enter_instance(boot)
    log_file("cloud-init.log", f"instance {boot['instance_id']}, first boot: {first}")
    config = boot["plan"]["config"]
    if first:
        for entry in config.get("write_files") or []:
            if not entry.get("defer"):
                write_entry(entry)
        make_users(config.get("users") or [])
        host_keys(config, boot.get("faults", {}))
    for command in config.get("bootcmd") or []:
        run(command)
    for _, text in boot["plan"]["boothooks"]:
        run_script("boothook", text)
    if first:
        keys = list(boot["authorized_keys"]) + list(config.get("ssh_authorized_keys") or [])
        authorize(boot["user"], keys)
    show_host_keys(boot, log)


def final(boot, log):
    delay = float(boot.get("faults", {}).get("slow_cloud_init", 0))
    if delay:
        time.sleep(delay)
    errors = []
    config = boot["plan"]["config"]
    if not marked("config_scripts_user"):
        for entry in config.get("write_files") or []:
            if entry.get("defer"):
                write_entry(entry)
        for command in config.get("runcmd") or []:
            if run(command) != 0:
                errors.append(f"runcmd failed: {command}")
        for name, text in boot["plan"]["scripts"]:
            if run_script(name, text) != 0:
                errors.append(f"user script {name} failed")
        mark("config_scripts_user")
    errors += boot["plan"]["errors"]
    write(f"{STATE}/instance/boot-finished", f"{time.time()}\n")
    write(RUN + "/status.json", json.dumps({"status": "error" if errors else "done", "errors": errors}))
    log(f"cloud-init[702]: Cloud-init v. 24.4 finished. Datasource DataSourceEc2Local. {len(errors)} errors")


# state ------------------------------------------------------------------------------------------------------


def enter_instance(boot):
    """Points /var/lib/cloud/instance to this instance; true when this disk boots as another instance than before."""
    directory = f"{STATE}/instances/{boot['instance_id']}"
    first = not os.path.isdir(directory + "/sem")
    os.makedirs(directory + "/sem", exist_ok=True)
    os.makedirs(STATE + "/data", exist_ok=True)
    link = STATE + "/instance"
    if os.path.islink(link) or os.path.exists(link):
        os.unlink(link)
    os.symlink(directory, link)
    previous = STATE + "/data/instance-id"
    if first and os.path.exists(previous):
        shutil.copy(previous, STATE + "/data/previous-instance-id")
    write(previous, boot["instance_id"] + "\n")
    write(directory + "/user-data.txt", boot["plan"]["raw"], 0o600)
    write(directory + "/cloud-config.txt", "#cloud-config\n" + json.dumps(boot["plan"]["config"]) + "\n", 0o600)
    return first


def marked(name):
    return os.path.exists(f"{STATE}/instance/sem/{name}")


def mark(name):
    write(f"{STATE}/instance/sem/{name}", f"{os.getpid()}: {time.time()}\n")


def clean(logs=False, seed=False, machine_id=False):
    """`cloud-init clean`: makes the next boot a first boot."""
    for entry in glob.glob(STATE + "/*"):
        if os.path.basename(entry) == "seed" and not seed:
            continue
        if os.path.isdir(entry) and not os.path.islink(entry):
            shutil.rmtree(entry)
        else:
            os.unlink(entry)
    if logs:
        for entry in glob.glob("/var/log/cloud-init*.log"):
            os.unlink(entry)
    if machine_id:
        write("/etc/machine-id", "uninitialized\n")


# keys -------------------------------------------------------------------------------------------------------


def host_keys(config, faults):
    if config.get("ssh_deletekeys", True):
        for path in glob.glob(HOST_KEYS):
            os.unlink(path)
    given = config.get("ssh_keys") or {}
    if given and not faults.get("wrong_host_key"):
        for name, text in given.items():
            kind, _, part = name.rpartition("_")
            path = f"/etc/ssh/ssh_host_{kind}_key" + (".pub" if part == "public" else "")
            write(path, text if text.endswith("\n") else text + "\n", 0o644 if part == "public" else 0o600)
        return
    for kind in config.get("ssh_genkeytypes") or ["ed25519", "ecdsa"]:
        path = f"/etc/ssh/ssh_host_{kind}_key"
        if not os.path.exists(path):
            subprocess.run(["/usr/bin/ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=False, stdin=subprocess.DEVNULL)


def show_host_keys(boot, log):
    files = sorted(glob.glob("/etc/ssh/ssh_host_*_key.pub"))
    if not files:
        return
    prints = []
    for path in files:
        done = subprocess.run(["/usr/bin/ssh-keygen", "-l", "-f", path], capture_output=True, text=True, check=False)
        prints.append(done.stdout.strip())
    stamp = time.strftime("%b %d %H:%M:%S")
    text = [f"<14>{stamp} cloud-init: -----BEGIN SSH HOST KEY FINGERPRINTS-----"]
    text += [f"<14>{stamp} cloud-init: {line}" for line in prints]
    text.append(f"<14>{stamp} cloud-init: -----END SSH HOST KEY FINGERPRINTS-----")
    text.append("-----BEGIN SSH HOST KEY KEYS-----")
    text += [" ".join(open(path, encoding="utf-8").read().split()[:2]) + f" root@{boot['hostname']}" for path in files]
    text.append("-----END SSH HOST KEY KEYS-----")
    print("\n".join(text), flush=True)


def authorize(user, keys):
    add_keys(user, keys)
    if user != "root":
        add_keys("root", [ROOT_PREFIX.format(user=user) + key for key in keys])


def add_keys(user, keys):
    if not keys:
        return
    account = pwd.getpwnam(user)
    directory = account.pw_dir + "/.ssh"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = directory + "/authorized_keys"
    present = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
    lines = [key.strip() for key in keys if key.strip() and key.strip() not in present.splitlines()]
    if present and not present.endswith("\n"):
        present += "\n"
    write(path, present + "".join(line + "\n" for line in lines), 0o600)
    for item in (directory, path):
        os.chown(item, account.pw_uid, account.pw_gid)


# files, users, commands -------------------------------------------------------------------------------------


def write_entry(entry):
    import base64
    content = entry.get("content", "")
    encoding = str(entry.get("encoding", "text/plain")).lower()
    data = content.encode()
    if "b64" in encoding or "base64" in encoding:
        data = base64.b64decode(content)
    if "gz" in encoding:
        import gzip
        data = gzip.decompress(data)
    path = entry["path"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab" if entry.get("append") else "wb") as file:
        file.write(data)
    os.chmod(path, int(str(entry.get("permissions", "0644")), 8))
    if entry.get("owner"):
        user, _, group = str(entry["owner"]).partition(":")
        os.chown(path, pwd.getpwnam(user).pw_uid, grp.getgrnam(group or user).gr_gid)


def make_users(users):
    for user in users:
        if not isinstance(user, dict) or not user.get("name"):
            continue
        name = user["name"]
        try:
            pwd.getpwnam(name)
        except KeyError:
            subprocess.run(["/usr/sbin/useradd", "-m", "-s", user.get("shell", "/bin/bash"), "-p", "*", name], check=False)
        rules = user.get("sudo")
        if rules:
            rules = rules if isinstance(rules, list) else [rules]
            write("/etc/sudoers.d/90-cloud-init-users", "".join(f"{name} {rule}\n" for rule in rules), 0o440, append=True)
        add_keys(name, user.get("ssh_authorized_keys") or [])


def run(command):
    argv = [str(part) for part in command] if isinstance(command, list) else ["/bin/sh", "-c", command]
    with open("/var/log/cloud-init-output.log", "ab") as output:
        try:
            return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, env=PATH, cwd="/").returncode
        except OSError as error:
            output.write(f"{argv[0]}: {error.strerror}\n".encode())
            return 127


def run_script(name, text):
    path = f"{STATE}/instance/scripts/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write(path, text, 0o700)
    return run([path])


def write(path, text, mode=0o644, append=False):
    with open(path, "a" if append else "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)


def log_file(name, text):
    with open("/var/log/" + name, "a", encoding="utf-8") as file:
        file.write(time.strftime("%Y-%m-%d %H:%M:%S,000 - ") + text + "\n")
