//! The platform with a store of its own, and disks of one boot sector.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ami_bake_core::event::{Event, EventReceiver};
use ami_bake_core::plan::{DiskQuery, ImageKey, MachineSettings, Phase, SourceImage, SourceQuery};
use ami_bake_core::platform::{Launch, Machine, Platform};
use ami_bake_core::{Result, Run};
use ami_bake_testkit::runs;
use ami_bake_vm::Vm;
use tempfile::TempDir;

/// The binary with the hidden command.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ami-bake-vm-helper");

/// The platform with a store of its own.
pub(crate) struct VmFixture {
    pub(crate) vm: Vm,
    pub(crate) run: Run,
    pub(crate) folder: TempDir,
    pub(crate) events: EventReceiver,
}

impl VmFixture {
    pub(crate) fn new() -> Self {
        Self::with(runs::run())
    }

    pub(crate) fn with((run, events): (Run, EventReceiver)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vm = Vm::new(&folder.path().join("store"), PathBuf::from(PROGRAM)).unwrap();
        Self { vm, run, folder, events }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A raw disk whose boot sector prints a text on the serial console and halts.
    pub(crate) fn disk(&self, name: &str, says: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, sector(says)).unwrap();
        path
    }

    pub(crate) async fn find(&self, disk: &Path, sha256: Option<&str>) -> Result<SourceImage> {
        self.vm.find_source(&self.run, &query(disk, sha256)).await
    }

    pub(crate) async fn launch(&self, disk: &Path) -> Result<Box<dyn Machine>> {
        let source = self.find(disk, None).await?;
        self.launch_with(&source, &machine()).await
    }

    pub(crate) async fn launch_with(
        &self,
        source: &SourceImage,
        machine: &MachineSettings,
    ) -> Result<Box<dyn Machine>> {
        let key = ImageKey::new("web");
        let lifetime = Duration::from_mins(10);
        let launch = Launch { key: &key, namespace: "shop", phase: Phase::Build, source, machine, lifetime };
        self.vm.launch(&self.run, &launch).await
    }

    /// The warnings so far, one text.
    pub(crate) fn warnings(&mut self) -> String {
        let mut text = String::new();
        while let Some(envelope) = self.events.try_recv() {
            if let Event::Warning { message, .. } = envelope.event {
                text.push_str(&message);
                text.push('\n');
            }
        }
        text
    }

    /// Names of files in the store's folders of machines, layers and trash.
    pub(crate) fn left(&self) -> Vec<String> {
        let names = |folder: &str| {
            let entries = std::fs::read_dir(self.vm.store().root().join(folder)).unwrap();
            entries
                .map(move |entry| format!("{}/{}", "store", entry.unwrap().file_name().display()))
                .collect::<Vec<_>>()
        };
        [names("machines"), names("trash")].concat()
    }
}

pub(crate) fn query(disk: &Path, sha256: Option<&str>) -> SourceQuery {
    let location = disk.display().to_string();
    SourceQuery::Disk(DiskQuery { location, sha256: sha256.map(str::to_owned), architecture: None })
}

/// A small machine.
pub(crate) fn machine() -> MachineSettings {
    let mut settings = MachineSettings { user: Some("debian".to_owned()), ..MachineSettings::default() };
    settings.hardware.memory = Some(64 << 20);
    settings.hardware.cpus = Some(1);
    settings
}

/// A disk of one MiB whose first sector prints a text on the first serial port and halts.
fn sector(says: &str) -> Vec<u8> {
    let code = [
        0x31, 0xc0, // xor ax,ax
        0x8e, 0xd8, // mov ds,ax
        0xbe, 0x15, 0x7c, // mov si,the text
        0xba, 0xf8, 0x03, // mov dx,0x3f8
        0xac, // next: lodsb
        0x84, 0xc0, // test al,al
        0x74, 0x03, // jz end
        0xee, // out dx,al
        0xeb, 0xf8, // jmp next
        0xf4, // end: hlt
        0xeb, 0xfd, // jmp end
    ];
    let mut disk = vec![0; 1 << 20];
    disk[..code.len()].copy_from_slice(&code);
    assert!(code.len() + says.len() < 510);
    disk[code.len()..code.len() + says.len()].copy_from_slice(says.as_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// IDs of the QEMU processes that run in a folder.
pub(crate) fn emulators(below: &Path) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let runs_there = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder.starts_with(below));
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        runs_there && name.starts_with("qemu-system")
    })
    .collect()
}

/// Runs a program that must succeed, and returns its standard output.
pub(crate) fn sh(folder: &Path, script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
