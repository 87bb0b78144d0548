//! QEMU's command line. All files of a machine are named relative to its folder, in which QEMU runs, so that no path of
//! the user's is part of an option, where a comma would end it.

use std::path::Path;

use ami_bake_core::plan::{Architecture, DataSource};

use crate::helper::{COMMAND, RELAY};
use crate::host::{Accelerator, FirmwareFiles};

/// The machine's disk.
pub(crate) const DISK: &str = "disk.qcow2";
/// The machine's UEFI variables.
pub(crate) const VARIABLES: &str = "efivars.fd";
/// The folder with cloud-init's data.
pub(crate) const SEED: &str = "seed";
/// The output of the serial console.
pub(crate) const CONSOLE: &str = "console.log";
/// The socket of the metadata service.
pub(crate) const METADATA_SOCKET: &str = "metadata.sock";
/// A link to this program.
pub(crate) const PROGRAM_LINK: &str = "program";
/// The socket of QEMU's monitor.
pub(super) const MONITOR: &str = "monitor.sock";

/// The network in which the guest has the metadata service at 169.254.169.254: QEMU forwards no address outside of it.
const LINK_LOCAL: &str = "net=169.254.169.0/24,host=169.254.169.2,dhcpstart=169.254.169.15,dns=169.254.169.3";

/// A port of this computer that leads to one of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forward {
    /// Port on 127.0.0.1.
    pub(crate) host: u16,
    /// Port of the guest.
    pub(crate) guest: u16,
}

/// How the guest finds cloud-init's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seed {
    /// The only data source; both if there is none.
    pub(crate) only: Option<DataSource>,
    /// A random UUID.
    pub(crate) uuid: uuid::Uuid,
}

impl Seed {
    /// Whether the guest gets the disk with the data.
    fn has_disk(&self) -> bool {
        self.only != Some(DataSource::Ec2)
    }

    /// Whether the guest gets the metadata service of EC2.
    pub(crate) fn has_metadata(&self) -> bool {
        self.only != Some(DataSource::Nocloud)
    }

    /// The guest's MAC address, in the range of QEMU's own.
    pub(crate) fn mac(&self) -> String {
        let [.., a, b, c] = *self.uuid.as_bytes();
        format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
    }

    /// The machine's UUID. cloud-init takes one that begins with `ec2` for a sign of EC2.
    fn system_uuid(&self) -> String {
        let text = self.uuid.to_string();
        if self.has_metadata() { format!("ec2{}", text.get(3..).unwrap_or_default()) } else { text }
    }
}

/// A virtual machine.
#[derive(Debug, Clone)]
pub(crate) struct Hardware {
    pub(crate) architecture: Architecture,
    pub(crate) accelerator: Accelerator,
    pub(crate) cpus: u16,
    /// Memory in MiB.
    pub(crate) memory: u64,
    /// UEFI; none for a PC BIOS.
    pub(crate) firmware: Option<FirmwareFiles>,
    pub(crate) seed: Seed,
    /// False: the guest reaches nothing, and only the forwarded ports reach it.
    pub(crate) network: bool,
}

impl Hardware {
    /// The arguments of the emulator.
    pub(crate) fn arguments(&self, forwards: &[Forward]) -> Vec<String> {
        let (accelerator, processor) = match self.accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            Accelerator::Tcg { .. } => ("tcg,thread=multi", "max"),
        };
        let machine = match self.architecture {
            Architecture::X86_64 => "q35",
            Architecture::Arm64 => "virt",
        };
        let mut all: Vec<String> = vec![];
        let mut add = |words: &[&str]| all.extend(words.iter().map(|word| (*word).to_owned()));
        add(&["-nodefaults", "-no-user-config", "-display", "none"]);
        add(&["-machine", machine, "-accel", accelerator, "-cpu", processor]);
        add(&["-smp", &self.cpus.to_string(), "-m", &self.memory.to_string()]);
        if let Some(firmware) = &self.firmware {
            let code = quoted(&firmware.code);
            add(&["-drive", &format!("if=pflash,unit=0,format=raw,readonly=on,file={code}")]);
            add(&["-drive", &format!("if=pflash,unit=1,format=raw,file={VARIABLES}")]);
        }
        // A machine does not survive a power failure anyway: its image is synced to the disk when it is registered.
        let drive = format!("if=none,id=root,format=qcow2,cache=unsafe,discard=unmap,detect-zeroes=unmap,file={DISK}");
        add(&["-drive", &drive, "-device", "virtio-blk-pci,drive=root,bootindex=0"]);
        if self.seed.has_disk() {
            add(&["-drive", &format!("if=none,id=seed,driver=vvfat,label=CIDATA,read-only=on,dir={SEED}")]);
            add(&["-device", "virtio-blk-pci,drive=seed"]);
        }
        add(&["-netdev", &self.network(forwards)]);
        add(&["-device", &format!("virtio-net-pci,netdev=net,mac={}", self.seed.mac())]);
        add(&["-device", "virtio-rng-pci", "-device", "pvpanic-pci"]);
        let uuid = self.seed.system_uuid();
        if self.seed.has_metadata() {
            add(&["-smbios", "type=0,vendor=Amazon EC2"]);
            add(&["-smbios", &format!("type=1,manufacturer=Amazon EC2,product=virtual,uuid={uuid},serial={uuid}")]);
        } else {
            add(&["-smbios", &format!("type=1,uuid={uuid}")]);
        }
        add(&["-chardev", &format!("file,id=console,path={CONSOLE}"), "-serial", "chardev:console"]);
        add(&["-qmp", &format!("unix:{MONITOR},server=on,wait=off")]);
        all
    }

    fn network(&self, forwards: &[Forward]) -> String {
        let mut text = "user,id=net".to_owned();
        if self.seed.has_metadata() {
            text.push_str(&format!(
                ",{LINK_LOCAL},guestfwd=tcp:169.254.169.254:80-cmd:./{PROGRAM_LINK} {COMMAND} {RELAY} {METADATA_SOCKET}"
            ));
        }
        if !self.network {
            text.push_str(",restrict=on");
        }
        for Forward { host, guest } in forwards {
            text.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
        }
        text
    }
}

/// A path in an option: a comma is written twice.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hardware(only: Option<DataSource>) -> Hardware {
        Hardware {
            architecture: Architecture::X86_64,
            accelerator: Accelerator::Kvm,
            cpus: 2,
            memory: 1024,
            firmware: None,
            seed: Seed { only, uuid: uuid::Uuid::nil() },
            network: true,
        }
    }

    #[test]
    fn a_data_source_that_is_excluded_is_not_offered() {
        let text = |only| hardware(only).arguments(&[]).join(" ");
        let both = text(None);
        assert!(
            both.contains("label=CIDATA") && both.contains("169.254.169.254") && both.contains("uuid=ec2"),
            "{both}"
        );
        let ec2 = text(Some(DataSource::Ec2));
        assert!(!ec2.contains("CIDATA") && ec2.contains("Amazon EC2"), "{ec2}");
        let disk = text(Some(DataSource::Nocloud));
        assert!(disk.contains("CIDATA") && !disk.contains("169.254") && !disk.contains("Amazon"), "{disk}");
    }

    #[test]
    fn without_a_network_the_forwarded_ports_stay() {
        let closed = Hardware { network: false, ..hardware(None) };
        let text = closed.network(&[Forward { host: 4022, guest: 22 }]);
        assert!(text.ends_with(",restrict=on,hostfwd=tcp:127.0.0.1:4022-:22"), "{text}");
    }

    #[test]
    fn the_firmware_is_never_written_to() {
        let files = FirmwareFiles { code: "/a,b/CODE.fd".into(), variables: "/a,b/VARS.fd".into() };
        let uefi = Hardware { architecture: Architecture::Arm64, firmware: Some(files), ..hardware(None) };
        let text = uefi.arguments(&[]).join(" ");
        assert!(text.contains("readonly=on,file=/a,,b/CODE.fd") && !text.contains("VARS.fd"), "{text}");
        assert!(text.contains("-machine virt"), "{text}");
    }
}
