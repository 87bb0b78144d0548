"""The layers below every instance: the differences of a seeded image to the host's root, and the guest's commands."""
import os
import shutil
import stat

GUEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest")
# Files of the host's users, work and run-time state, which no guest may see.
HIDDEN = ["root", "home", "tmp", "var/tmp", "run", "work", "var/lib/cloud", "var/log", "etc/ssh", "etc/sudoers.d", "media", "mnt", "srv", "old_root", "farm", "github", "__w"]
SYSTEM = {"bin", "boot", "dev", "etc", "lib", "lib64", "opt", "proc", "sbin", "sys", "usr", "var"}
SHIMS = {
    "usr/sbin": ["poweroff", "halt", "reboot", "shutdown", "fsfreeze"],
    "usr/bin": ["systemctl", "systemd-run", "cloud-init"],
}
SHIM = '#!/bin/sh\nexec /usr/bin/python3 -IS /usr/lib/cloud-guest/shim.py {name} "$@"\n'
SSHD_CONFIG = """\
Include /etc/ssh/sshd_config.d/*.conf
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
PrintMotd no
UseDNS no
MaxStartups 100:30:200
MaxSessions 100
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
"""
SSHD_WITH_SHA1 = "PubkeyAcceptedAlgorithms +ssh-rsa\nHostKeyAlgorithms +ssh-rsa\n"
# Prevents services of packages from starting on the host's network.
POLICY = "#!/bin/sh\nexit 101\n"


def workplace():
    """The top-level directory that contains this checkout, unless it belongs to the system."""
    top = os.path.abspath(__file__).split("/")[1]
    return [] if top in SYSTEM or top in HIDDEN else [top]


def opaque(path, mode=0o755):
    """Creates a directory that hides the layers below."""
    os.makedirs(path, exist_ok=True)
    os.chmod(path, mode)
    os.setxattr(path, "trusted.overlay.opaque", b"y")


def put(root, path, text, mode=0o644):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(full, mode)


def build_shims(root):
    """The guest's init and power commands, which are placed over the image at each boot and so are part of no
    snapshot."""
    library = os.path.join(root, "usr/lib/cloud-guest")
    os.makedirs(library)
    for name in os.listdir(GUEST):
        if name.endswith(".py"):
            shutil.copy(os.path.join(GUEST, name), library)
    shutil.copy("/usr/bin/systemctl", os.path.join(library, "systemctl.real"))
    for directory, names in SHIMS.items():
        for name in names:
            put(root, f"{directory}/{name}", SHIM.format(name=name), 0o755)
    return root


def build_image(root, user, sha1_signatures=False):
    """The differences between the host's root and a cloud image with this default user."""
    for path in [*HIDDEN, *workplace()]:
        if os.path.isdir("/" + path) or path in ("var/lib/cloud", "etc/sudoers.d"):
            opaque(os.path.join(root, path), 0o700 if path == "root" else 0o1777 if path.endswith("tmp") else 0o755)
    home = f"home/{user}"
    put(root, "etc/passwd", _account("/etc/passwd", user, f"{user}:x:1000:1000:{user}:/{home}:/bin/bash"))
    put(root, "etc/group", _account("/etc/group", user, f"{user}:x:1000:"))
    put(root, "etc/shadow", _shadow(user), 0o640)
    put(root, f"etc/sudoers.d/90-cloud-init-users", f"{user} ALL=(ALL) NOPASSWD:ALL\n", 0o440)
    os.makedirs(os.path.join(root, home), mode=0o750)
    for name in (".bashrc", ".profile"):
        if os.path.exists("/etc/skel/" + name):
            shutil.copy("/etc/skel/" + name, os.path.join(root, home, name))
    for directory, names, files in os.walk(os.path.join(root, home)):
        for name in [".", *files]:
            os.chown(os.path.join(directory, name), 1000, 1000)
    put(root, "etc/ssh/sshd_config", SSHD_CONFIG + (SSHD_WITH_SHA1 if sha1_signatures else ""))
    os.makedirs(os.path.join(root, "etc/ssh/sshd_config.d"))
    for name in ("ssh_config", "moduli"):
        if os.path.exists("/etc/ssh/" + name):
            shutil.copy("/etc/ssh/" + name, os.path.join(root, "etc/ssh", name))
    put(root, "etc/machine-id", "")
    put(root, "etc/hostname", "localhost\n")
    put(root, "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    # The host's own may be a link into /run, or a mount that an overlay does not show.
    put(root, "etc/resolv.conf", _text("/etc/resolv.conf"))
    put(root, "usr/sbin/policy-rc.d", POLICY, 0o755)
    os.makedirs(os.path.join(root, "var/log/apt"), exist_ok=True)
    for name, mode in (("wtmp", 0o664), ("btmp", 0o660), ("lastlog", 0o664)):
        put(root, "var/log/" + name, "", mode)
    # An instance is no container, even if the host is.
    for path in (".dockerenv",):
        if os.path.exists("/" + path):
            os.mknod(os.path.join(root, path), stat.S_IFCHR, os.makedev(0, 0))
    return root


def _text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _account(path, user, line):
    """The host's accounts without its users: system users, and this user."""
    kept = []
    for entry in _text(path).splitlines():
        fields = entry.split(":")
        if len(fields) > 2 and fields[0] != user and not (fields[2].isdigit() and 1000 <= int(fields[2]) < 60000):
            kept.append(entry)
    return "\n".join([*kept, line]) + "\n"


def _shadow(user):
    # `*` is neither a password nor a locked account; the host's password hashes must not reach a guest.
    names = [entry.split(":")[0] for entry in _account("/etc/passwd", user, f"{user}:").splitlines()]
    return "".join(f"{name}:*:19000:0:99999:7:::\n" for name in names)

