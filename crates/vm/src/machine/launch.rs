//! Launches a machine.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ami_bake_core::ledger::{Closed, MACHINE};
use ami_bake_core::plan::{Architecture, Firmware, MachineSettings, SourceImage};
use ami_bake_core::platform::Launch;
use ami_bake_core::{Error, Result, Run};
use ami_bake_local::{Images, MachineInfo, architecture, new_id, store_error};
use tokio::sync::OnceCell;

use super::access::Access;
use super::state::{Running, VmState};
use super::user;
use super::virtual_machine::VirtualMachine;
use crate::capabilities::PLATFORM;
use crate::data::{FirstBoot, MetadataServer, serve, write_seed};
use crate::host::{Accelerator, detect, emulator, qemu_img, uefi};
use crate::qemu::{DISK, Forward, Hardware, METADATA_SOCKET, PROGRAM_LINK, Qemu, SEED, Seed, VARIABLES, overlay};
use crate::source;

/// Memory of a machine in MiB, where the manifest sets none.
const MEMORY: u64 = 2048;
/// Processors of a machine, where the manifest sets none and this computer has as many.
const CPUS: usize = 2;
/// Number of attempts to find a free port: another program may take one before QEMU does.
const PORT_TRIES: u32 = 5;

/// What all machines of this computer share.
#[derive(Debug)]
pub(crate) struct Computer {
    /// The program that has the hidden command line: `ami-bake` itself.
    pub(crate) program: PathBuf,
    /// What runs guests of this computer's own architecture.
    accelerator: OnceCell<Accelerator>,
    /// Imports of source disks, one at a time: two images of a manifest may have the same source.
    importing: tokio::sync::Mutex<()>,
}

impl Computer {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program, accelerator: OnceCell::new(), importing: tokio::sync::Mutex::default() }
    }

    /// What runs guests of an architecture; warns once when it is an emulator.
    async fn accelerator(&self, run: &Run, emulator: &Path, guest: Architecture) -> Accelerator {
        let find = || async {
            let found = detect(emulator, guest).await;
            if let Accelerator::Tcg { why, help } = &found {
                run.warn(format!("virtual machines are emulated and about ten times slower: {why}"), help.clone());
            }
            found
        };
        if architecture() == Some(guest) { self.accelerator.get_or_init(find).await.clone() } else { find().await }
    }

    /// Makes the source's disk a layer of the store.
    pub(crate) async fn provide(&self, run: &Run, images: &Images, source: &SourceImage) -> Result<()> {
        let _one = run.until_cancelled(self.importing.lock()).await?;
        source::provide(run, images.store(), source).await
    }
}

/// The virtual hardware for a source, and the emulator.
///
/// # Errors
/// When something is missing on this computer, or the settings contradict each other.
pub(crate) async fn hardware(
    computer: &Computer,
    run: &Run,
    settings: &MachineSettings,
    source: &SourceImage,
) -> Result<(Hardware, PathBuf)> {
    let guest = source.architecture.or_else(architecture).unwrap_or(Architecture::X86_64);
    let emulator = emulator(guest)?;
    qemu_img()?;
    user::of(settings, source)?;
    let wanted = &settings.hardware;
    let firmware = match (guest, wanted.firmware) {
        (Architecture::X86_64, None | Some(Firmware::Bios)) => None,
        (Architecture::Arm64, Some(Firmware::Bios)) => {
            return Err(Error::preflight("`firmware: bios` is not supported on arm64")
                .help("Remove `machine.firmware`: arm64 machines start by UEFI."));
        }
        _ => Some(uefi(guest)?),
    };
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(CPUS));
    let hardware = Hardware {
        architecture: guest,
        accelerator: computer.accelerator(run, &emulator, guest).await,
        cpus: wanted.cpus.unwrap_or_else(|| u16::try_from(cpus).unwrap_or(1)),
        memory: wanted.memory.map_or(MEMORY, |bytes| bytes.div_ceil(1 << 20)),
        firmware,
        seed: Seed { only: wanted.datasource, uuid: uuid::Uuid::new_v4() },
        network: settings.network != Some(false),
    };
    Ok((hardware, emulator))
}

/// Starts a virtual machine from the source. It is recorded in the ledger before its folder is created.
pub(crate) async fn launch(
    computer: &Computer,
    run: &Run,
    images: &Images,
    launch: &Launch<'_>,
) -> Result<VirtualMachine> {
    let settings = launch.machine;
    let (hardware, emulator) = hardware(computer, run, settings, launch.source).await?;
    let access = Access::new(run, settings)?;
    computer.provide(run, images, launch.source).await?;
    let store = images.store();
    let id = new_id("vm");
    let ticket = run.intend(PLATFORM, MACHINE, None, &id)?;
    // The lock keeps the layers from being removed until the machine is registered as their user.
    let lock = store.lock().await?;
    let layers = source::layers(store, launch.source)?;
    let folder = store.new_machine(&id)?;
    let info = MachineInfo {
        run: run.id().to_owned(),
        purpose: format!("{} of {}/{}", launch.phase.as_str(), launch.namespace, launch.key),
        layers,
        kept: None,
    };
    info.write(folder.path())?;
    drop(lock);
    run.ledger().confirm(ticket, &id);
    let prepared = Prepared { id: &id, folder: folder.path(), images, layers: &info.layers, access: &access };
    let started = run.until_cancelled(start(computer, launch, &hardware, &emulator, &prepared)).await;
    let (qemu, forwards, metadata) = match started.and_then(|started| started) {
        Ok(started) => started,
        Err(error) => {
            drop(folder);
            // If this fails too, the ledger still has the machine.
            if images.discard_machine(&id).is_ok() {
                run.ledger().close_id(MACHINE, &id, Closed::Deleted);
            }
            return Err(error);
        }
    };
    let accelerator = if hardware.accelerator.is_slow() { "emulated" } else { "KVM" };
    let running = Running { qemu: Some(Arc::new(qemu)), ssh: None, metadata };
    Ok(VirtualMachine {
        state: Arc::new(VmState {
            id,
            images: images.clone(),
            folder,
            info,
            settings: settings.clone(),
            access,
            user: user::of(settings, launch.source)?,
            architecture: hardware.architecture,
            slow: hardware.accelerator.is_slow(),
            uefi: hardware.firmware.is_some(),
            forwards,
            kind: format!("{} CPUs, {} MiB, {accelerator}", hardware.cpus, hardware.memory),
            running: Mutex::new(running),
        }),
    })
}

/// What a machine has before it starts.
struct Prepared<'a> {
    id: &'a str,
    folder: &'a Path,
    images: &'a Images,
    /// Layers of its source, top first.
    layers: &'a [String],
    access: &'a Access,
}

/// Prepares the machine's folder and starts QEMU there.
async fn start(
    computer: &Computer,
    launch: &Launch<'_>,
    hardware: &Hardware,
    emulator: &Path,
    prepared: &Prepared<'_>,
) -> Result<(Qemu, Vec<Forward>, Option<MetadataServer>)> {
    let (folder, settings) = (prepared.folder, launch.machine);
    let top = prepared.layers.first().map_or("", String::as_str);
    let layer = prepared.images.store().layer(top);
    if !layer.join(DISK).is_file() {
        return Err(Error::preflight(format!(
            "could not start from {}: its layer {top} is missing",
            launch.source.name
        ))
        .help("Bake the image again with --force."));
    }
    // Relative, so that the store can be moved. A machine's folder is as deep as a layer's: a captured disk keeps its base.
    let base = format!("../../layers/{top}/{DISK}");
    overlay(folder, DISK, &base, settings.disk.size).await?;
    if let Some(firmware) = &hardware.firmware {
        copy_variables(&layer.join(VARIABLES), &firmware.variables, &folder.join(VARIABLES))?;
    }
    let link = folder.join(PROGRAM_LINK);
    std::os::unix::fs::symlink(&computer.program, &link).map_err(|error| store_error("create", &link, error))?;
    let boot = FirstBoot {
        instance: prepared.id.replacen("vm-", "i-", 1),
        host_name: Some(launch.key.host_name()).filter(|name| !name.is_empty()).unwrap_or_else(|| "machine".to_owned()),
        keys: prepared.access.authorized(),
        user_data: prepared.access.user_data.clone(),
        mac: hardware.seed.mac(),
        architecture: hardware.architecture.as_str(),
        tokens_required: settings.metadata.tokens_required.unwrap_or(true),
    };
    write_seed(&folder.join(SEED), &boot)?;
    let metadata = if hardware.seed.has_metadata() { Some(serve(folder, METADATA_SOCKET, &boot)?) } else { None };
    let (qemu, forwards) = start_qemu(folder, emulator, hardware, settings, launch.lifetime).await?;
    Ok((qemu, forwards, metadata))
}

/// The UEFI variables of the image, else those of the firmware's template, which may be read-only.
fn copy_variables(own: &Path, template: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let from = if own.is_file() { own } else { template };
    std::fs::copy(from, to)
        .and_then(|_| std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o600)))
        .map_err(|error| store_error("write the UEFI variables", to, error))
}

/// Starts QEMU with a free port for SSH, and one for each port of `test-connect: none`.
async fn start_qemu(
    folder: &Path,
    emulator: &Path,
    hardware: &Hardware,
    settings: &MachineSettings,
    lifetime: Duration,
) -> Result<(Qemu, Vec<Forward>)> {
    let mut guests = vec![settings.connect.port.unwrap_or(22)];
    guests.extend(settings.connect.outside.iter().flatten().copied());
    let mut tries = 0;
    loop {
        tries += 1;
        let forwards = forwards(&guests)?;
        match Qemu::start(folder, emulator, &hardware.arguments(&forwards), lifetime).await {
            Err(error) if tries < PORT_TRIES && error.message().contains("host forwarding") => {}
            started => return started.map(|qemu| (qemu, forwards)),
        }
    }
}

/// A free port of this computer for each of the guest.
fn forwards(guests: &[u16]) -> Result<Vec<Forward>> {
    let failed = |error| Error::build("could not find a free port on 127.0.0.1").because(error);
    // All are held until the last is found, so that they differ.
    let mut held = Vec::new();
    let mut all = Vec::new();
    for guest in guests {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        all.push(Forward { host: listener.local_addr().map_err(failed)?.port(), guest: *guest });
        held.push(listener);
    }
    Ok(all)
}
