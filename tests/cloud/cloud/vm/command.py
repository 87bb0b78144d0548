"""QEMU's command line: hardware as a Nitro instance shows it."""
import os
import subprocess
import sys
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
# The network in which 169.254.169.254 is a neighbour, as QEMU's user network forwards only its own addresses.
GUEST = "169.254.169.15"
MEMORY = 1024  # MiB


def accelerator():
    """KVM where the processor has it, else emulation. AMI_BAKE_GUEST_ACCEL chooses."""
    given = os.environ.get("AMI_BAKE_GUEST_ACCEL")
    if given:
        return given
    # Without one of these modules /dev/kvm may be a nested one that runs no firmware.
    hardware = any(os.path.exists("/sys/module/" + module) for module in ("kvm_intel", "kvm_amd"))
    return "kvm" if hardware and os.access("/dev/kvm", os.R_OK | os.W_OK) else "tcg"


def mac_of(instance_id):
    """A locally administered address, as EC2's are."""
    return "02:" + ":".join(instance_id.removeprefix("i-")[at:at + 2] for at in range(0, 10, 2))


def command(machine, disk, hardware, mac, memory=None):
    """The command line. `machine` has directory, address, qmp and instance type; `memory` is the file of a saved state."""
    number = "ec2" + uuid.uuid5(uuid.NAMESPACE_OID, machine.id).hex[3:8] + str(uuid.uuid5(uuid.NAMESPACE_OID, machine.id))[8:]
    accel = accelerator()
    drive = {"virtio": "virtio-blk-pci,drive=d0", "nvme": "nvme,drive=d0,serial=vol0123456789abcdef0"}[hardware["disk"]]
    imds = f"{sys.executable} -IS {HERE}/imds.py {machine.directory}/imds.json"
    return [
        "setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64",
        "-accel", "tcg,thread=multi,tb-size=256" if accel == "tcg" else accel,
        # arch-capabilities can't be set in some nested machines.
        "-cpu", "max,-arch-capabilities" if accel == "kvm" else "max",
        "-machine", "q35", "-m", str(MEMORY), "-smp", "1", "-nodefaults", "-no-user-config", "-display", "none", "-boot", "strict=on",
        "-smbios", f"type=0,vendor=Amazon EC2", "-smbios", f"type=1,manufacturer=Amazon EC2,product={machine.kind},uuid={number},serial={number}",
        "-drive", f"file={disk},if=none,id=d0,format=qcow2,cache=unsafe,discard=unmap", "-device", drive,
        "-netdev", f"user,id=n0,restrict=on,net=169.254.169.0/24,host=169.254.169.2,dhcpstart={GUEST},"
                   f"hostfwd=tcp:{machine.address}:22-{GUEST}:22,guestfwd=tcp:169.254.169.254:80-cmd:{imds}",
        "-device", f"virtio-net-pci,netdev=n0,mac={mac},romfile=",
        "-device", "virtio-rng-pci",
        "-chardev", "stdio,id=c0,signal=off", "-serial", "chardev:c0",
        "-chardev", f"socket,id=q0,fd={machine.qmp.theirs.fileno()}", "-mon", "chardev=q0,mode=control",
        # It ends when it is told to, so that no event is lost.
        "-action", "reboot=shutdown,shutdown=pause,panic=pause",
        *(["-incoming", f"exec:cat {memory}"] if memory else []),
    ]


def start(arguments, machine):
    """Starts QEMU; its standard output is the console. The calling thread must live as long as QEMU."""
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(os.path.join(machine.directory, "qemu.log"), "ab"),
                               start_new_session=True, pass_fds=[machine.qmp.theirs.fileno()])
    machine.qmp.theirs.close()
    os.set_blocking(process.stdout.fileno(), False)
    return process


def version():
    return subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
