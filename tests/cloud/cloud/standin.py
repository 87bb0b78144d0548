"""A small sandbox of mounts for when the product's own is not at hand; same SPEC. Runs as PID 1 of new namespaces."""
import ctypes
import json
import os
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


def mount(source, target, kind=None, flags=0, data=None):
    encode = lambda text: None if text is None else os.fsencode(text)  # noqa: E731
    if LIBC.mount(encode(source), encode(target), encode(kind), ctypes.c_ulong(flags), encode(data)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {source} on {target}: {os.strerror(error)}")


def place(source, target):
    """Something to mount on, of the same sort as the source."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "w").close()


def devices(root):
    mount("tmpfs", root + "/dev", "tmpfs", MS_NOSUID, "mode=755,size=1m")
    for name, (major, minor) in DEVICES.items():
        os.mknod(f"{root}/dev/{name}", 0o020666, os.makedev(major, minor))
        os.chmod(f"{root}/dev/{name}", 0o666)
    for name in ("pts", "shm"):
        os.mkdir(f"{root}/dev/{name}")
    mount("devpts", root + "/dev/pts", "devpts", MS_NOSUID, "newinstance,ptmxmode=0666,mode=620,gid=5")
    mount("tmpfs", root + "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    os.symlink("pts/ptmx", root + "/dev/ptmx")
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
        os.symlink(target, f"{root}/dev/{name}")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    os.umask(0o022)
    root = os.path.join(os.path.dirname(spec["upper"]), "m" + os.path.basename(spec["upper"]))
    os.makedirs(root, exist_ok=True)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("overlay", root, "overlay", 0, f"lowerdir={':'.join(spec['lower'])},upperdir={spec['upper']},workdir={spec['work']}")
    devices(root)
    mount("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV)
    if os.path.exists("/proc/sysrq-trigger"):
        mount("/dev/null", root + "/proc/sysrq-trigger", None, MS_BIND)
    for path in spec["hide"]:
        mount("tmpfs", root + path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    if spec.get("boot_id"):
        boot_id = os.path.join(os.path.dirname(sys.argv[1]), "boot_id")
        with open(boot_id, "w", encoding="utf-8") as file:
            file.write(spec["boot_id"] + "\n")
        mount(boot_id, root + "/proc/sys/kernel/random/boot_id", None, MS_BIND)
    for bind in spec["binds"]:
        place(bind["source"], root + bind["target"])
        mount(bind["source"], root + bind["target"], None, MS_BIND)
        if bind["read_only"]:
            mount(None, root + bind["target"], None, MS_REMOUNT | MS_BIND | MS_RDONLY)
    socket.sethostname(spec["hostname"])
    os.chdir(root)
    if LIBC.syscall(155, b".", b".") != 0:  # pivot_root on x86_64, the old root under the new one
        raise OSError(ctypes.get_errno(), "pivot_root")
    if LIBC.umount2(b".", 2) != 0:
        raise OSError(ctypes.get_errno(), "umount of the old root")
    os.chdir("/")
    os.execv(spec["init"][0], spec["init"])


main()
