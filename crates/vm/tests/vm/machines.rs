//! Machines that do not come up, and what is left of them. Their guests are one boot sector.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::ErrorKind;
use ami_bake_core::platform::{Keep, Platform, SweepScope, Undo};
use ami_bake_testkit::clock::ManualClock;
use ami_bake_testkit::runs;
use ami_bake_testkit::wait::{eventually, within_limit};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{VmFixture, emulators};

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// The console is shown, nothing is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_reported_with_the_console() {
    let mut fixture = VmFixture::new();
    let disk = fixture.disk("disk.raw", "Linux version 6.1\r\nKernel panic - not syncing: VFS: no root\r\n");
    let machine = fixture.launch(&disk).await.unwrap();
    let error = machine.connect(&fixture.run).await.err().unwrap();
    assert!(error.message().ends_with(" panicked"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Build);
    let warnings = fixture.warnings();
    assert!(warnings.contains("Kernel panic - not syncing: VFS: no root"), "{warnings}");
    machine.destroy(&fixture.run).await.unwrap();
    machine.destroy(&fixture.run).await.unwrap();
    assert_eq!(emulators(fixture.folder.path()), Vec::<i32>::new());
    assert_eq!(fixture.left(), Vec::<String>::new());
    assert!(fixture.run.ledger().open_entries().is_empty());
}

/// The boot has ended, and nobody answers: said when the console has been silent, not at the time limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_without_cloud_init_or_ssh_is_told_by_the_console() {
    for (says, expected) in [
        ("Linux version 6.1\r\n\r\nDebian ttyS0\r\n\r\nhost login: ", "has booted, but cloud-init did not run"),
        (
            "Linux version 6.1\r\nCloud-init v. 22.4.2 finished at Mon\r\nhost login: ",
            "has booted, but the login over SSH does not work",
        ),
    ] {
        let clock = Arc::new(ManualClock::skipping(Duration::from_secs(5), std::thread::yield_now));
        let mut fixture = VmFixture::with(runs::with(clock, &[]));
        let disk = fixture.disk("disk.raw", says);
        let machine = fixture.launch(&disk).await.unwrap();
        let error = machine.connect(&fixture.run).await.err().unwrap();
        assert!(error.message().ends_with(expected), "{error}");
        assert!(fixture.warnings().contains("Linux version 6.1"));
        machine.destroy(&fixture.run).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_emulator_is_reported() {
    let fixture = VmFixture::new();
    let machine = fixture.launch(&fixture.disk("disk.raw", "hello\r\n")).await.unwrap();
    let [pid] = emulators(fixture.folder.path())[..] else { panic!("not one emulator") };
    kill(pid);
    let error = machine.connect(&fixture.run).await.err().unwrap();
    assert!(error.message().contains("ended unexpectedly: signal 9"), "{error}");
    machine.destroy(&fixture.run).await.unwrap();
    assert_eq!(fixture.left(), Vec::<String>::new());
}

/// A cancel ends every wait, and undo ends the machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_leaves_nothing() {
    let fixture = VmFixture::new();
    let machine = fixture.launch(&fixture.disk("disk.raw", "hello\r\n")).await.unwrap();
    let (run, cancel) = (fixture.run.clone(), fixture.run.cancel.clone());
    let connecting = async { machine.connect(&run).await.err().unwrap() };
    let (error, ()) = tokio::join!(connecting, async {
        tokio::task::yield_now().await;
        cancel.cancel();
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let entries = fixture.run.ledger().open_entries();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(fixture.vm.undo(&fixture.run, &entries[0]).await.unwrap(), Undo::Done);
    assert_eq!(emulators(fixture.folder.path()), Vec::<i32>::new());
    assert_eq!(fixture.left(), Vec::<String>::new());
}

/// What holds a machine is killed, as with the whole process group: the kernel ends QEMU.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emulator_does_not_outlive_its_holder() {
    let fixture = VmFixture::new();
    let machine = fixture.launch(&fixture.disk("disk.raw", "hello\r\n")).await.unwrap();
    let [pid] = emulators(fixture.folder.path())[..] else { panic!("not one emulator") };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    kill(parent);
    eventually("QEMU outlives its holder", || emulators(fixture.folder.path()).is_empty()).await;
    let error = machine.connect(&fixture.run).await.err().unwrap();
    assert!(error.message().contains("ended unexpectedly"), "{error}");
}

/// A kept machine runs on when this process forgets it, and is no orphan until its time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_machine_runs_on() {
    let fixture = VmFixture::new();
    let machine = fixture.launch(&fixture.disk("disk.raw", "hello\r\n")).await.unwrap();
    let hint = machine.keep(&fixture.run, &Keep::from(fixture.path("keys"))).await.unwrap();
    assert!(hint.contains("ssh -i ") && hint.contains(".key") && hint.contains("two hours"), "{hint}");
    drop(machine);
    let found = fixture.vm.expired(&fixture.run, &SweepScope::default()).await.unwrap().found;
    assert!(found.is_empty(), "{found:?}");
    let pids = emulators(fixture.folder.path());
    assert_eq!(pids.len(), 1, "it has ended");
    kill(pids[0]);
    within_limit("the holder stays", async {
        while !emulators(fixture.folder.path()).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// The folder of a machine whose process was killed is found by sweep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_left_is_swept() {
    let fixture = VmFixture::new();
    let left = fixture.vm.store().root().join("machines/vm-0123456789abcdef0");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("owner.lock"), "").unwrap();
    std::fs::write(left.join("disk.qcow2"), "x").unwrap();
    let found = fixture.vm.expired(&fixture.run, &SweepScope::default()).await.unwrap().found;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind.as_str(), found[0].id.as_str()), ("virtual machine", "vm-0123456789abcdef0"));
    assert_eq!(fixture.vm.remove(&fixture.run, &found[0]).await.unwrap(), Undo::Done);
    assert_eq!(fixture.left(), Vec::<String>::new());
}

/// Two disks that write to a file system without space.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_space_is_reported_before_the_machine_starts() {
    let fixture = VmFixture::new();
    let disk = fixture.path("big.raw");
    let mut bytes = std::fs::read(fixture.disk("disk.raw", "hello")).unwrap();
    bytes.extend((0..16_u32 << 18).flat_map(u32::to_le_bytes));
    std::fs::write(&disk, bytes).unwrap();
    let small = fixture.path("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&small).status().unwrap();
    assert!(mounted.success());
    let vm = ami_bake_vm::Vm::new(&small, crate::fixture::PROGRAM.into()).unwrap();
    let source = fixture.find(&disk, None).await.unwrap();
    let full = VmFixture { vm, ..fixture };
    let error = full.launch_with(&source, &crate::fixture::machine()).await.err().unwrap();
    let left = full.left();
    let unmounted = Command::new("umount").arg(&small).status().unwrap();
    assert!(unmounted.success());
    assert!(error.message().contains("No space left"), "{error}");
    assert!(error.help_text().unwrap().contains("--store"), "{error}");
    assert_eq!(left, Vec::<String>::new());
}
