//! Container behavior that the conformance tests do not cover.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ami_bake_core::communicator::{Exec, Exit};
use ami_bake_core::ledger::{Entry, IMAGE, MACHINE};
use ami_bake_core::output::Collect;
use ami_bake_core::platform::{Platform, SweepScope, Undo};
use ami_bake_testkit::clock::ManualClock;
use ami_bake_testkit::docker::Engine;
use ami_bake_testkit::output::FirstOutput;
use ami_bake_testkit::runs;
use ami_bake_testkit::wait::eventually;

use crate::fixture::{docker, launch, machine, sh};

const LONG: Duration = Duration::from_mins(30);

#[tokio::test]
async fn a_container_that_dies_loses_its_command() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let (run, _events) = runs::run();
    let (machine, inside) = machine(&run, &docker, LONG).await;
    let (mut output, begun) = FirstOutput::new();
    let running = inside.exec(Exec::new("echo begun; sleep 3600"), &mut output);
    let killing = async {
        begun.await.unwrap();
        engine.docker(&["kill", machine.id()]).unwrap();
    };
    let (exit, ()) = tokio::join!(running, killing);
    assert!(matches!(exit.unwrap(), Exit::Lost(_)));
    assert_eq!(output.output.stdout_text(), "begun\n");
    assert!(matches!(inside.exec(Exec::new("true"), &mut Collect::default()).await.unwrap(), Exit::Lost(_)));
    machine.destroy(&run).await.unwrap();
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_not_waited_for() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let (run, _events) = runs::run();
    let (machine, inside) = machine(&run, &docker, LONG).await;
    // The background process holds the other end of the output open for an hour.
    assert_eq!(sh(inside.as_ref(), "sleep 3600 & echo done").await, "done\n");
    assert_eq!(sh(inside.as_ref(), "exec >&- 2>&-; sleep 0.3; exit 0").await, "");
    let mut output = Collect::default();
    let exit = inside.exec(Exec::new("exec >&- 2>&-; sleep 0.3; exit 3"), &mut output).await.unwrap();
    assert_eq!(exit, Exit::Status(3));
    machine.destroy(&run).await.unwrap();
}

/// Processes that try to escape: in another session, with another environment, with a dead parent.
#[tokio::test]
async fn a_time_limit_reaches_the_whole_tree() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let (run, _events) = runs::run();
    let (machine, inside) = machine(&run, &docker, LONG).await;
    let limit = Duration::from_secs(2);
    let tree = "setsid sleep 4713 & env -i sleep 4713 & (nohup sh -c 'sleep 4713; :' >/dev/null 2>&1 &); sleep 4713";
    let exit = inside.exec(Exec::new(tree).timeout(limit), &mut Collect::default()).await.unwrap();
    assert_eq!(exit, Exit::TimedOut(limit));
    let left = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep [4]713' || true";
    assert_eq!(sh(inside.as_ref(), left).await, "0\n");
    machine.destroy(&run).await.unwrap();
}

#[tokio::test]
async fn megabytes_go_both_ways_and_folders_keep_their_modes() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let (run, _events) = runs::run();
    let (machine, inside) = machine(&run, &docker, LONG).await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mut output = Collect::default();
    let exit = inside.exec(Exec::new("cat").stdin(&bytes), &mut output).await.unwrap();
    assert!(exit.success() && output.stdout == bytes, "{exit:?}, {} bytes", output.stdout.len());

    sh(inside.as_ref(), "mkdir -m 0700 /opt/closed && ln -s /opt/closed /opt/link").await;
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, "big", bytes.as_slice()).unwrap();
    let archive = archive.into_inner().unwrap();
    inside.put(Box::new(archive.as_slice()), "/opt/link/new/deep").await.unwrap();
    let seen = sh(inside.as_ref(), "stat -c %a /opt/closed /opt/closed/new; wc -c </opt/closed/new/deep/big").await;
    assert_eq!(seen, "700\n755\n3000000\n");
    let error = inside.get("/opt/nothing", Box::new(Vec::new())).await.unwrap_err();
    assert!(error.message().contains("/opt/nothing"), "{error}");
    machine.destroy(&run).await.unwrap();
}

fn entry(kind: &str, run: &str, find_by: &str, id: Option<&str>) -> Entry {
    Entry {
        number: 1,
        run: run.to_owned(),
        image: None,
        platform: "docker".to_owned(),
        kind: kind.to_owned(),
        region: None,
        role: None,
        find_by: find_by.to_owned(),
        id: id.map(str::to_owned),
    }
}

/// The end of an image's bake and the end of the run may remove the same container at the same time: both wait until it
/// is gone.
#[tokio::test]
async fn removals_at_once_end_when_the_container_is_gone() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let (run, _events) = runs::run();
    let machine = launch(&run, &docker, LONG).await;
    let entry = entry(MACHINE, run.id(), machine.id(), Some(machine.id()));
    let undo = async || {
        assert_eq!(docker.undo(&run, &entry).await.unwrap(), Undo::Done);
        assert!(engine.docker(&["inspect", machine.id()]).is_none(), "the container is still there");
    };
    tokio::join!(undo(), undo(), undo(), undo());
}

/// The run did not wait for the answer to its create request, and the daemon creates the container during the clean-up.
#[tokio::test]
async fn a_container_that_is_created_during_the_clean_up_is_removed() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let name = format!("late-{}", uuid::Uuid::new_v4().simple());
    let late = {
        let (engine, name, pauses) = (Engine::get(), name.clone(), AtomicU32::new(0));
        move || {
            if pauses.fetch_add(1, Ordering::Relaxed) == 3 {
                engine.docker(&["create", "--name", &name, ami_bake_testkit::docker::BASE, "sh"]).unwrap();
            }
        }
    };
    let clock = Arc::new(ManualClock::skipping(Duration::from_secs(1), late));
    let (run, _events) = runs::with(clock, &[]);
    assert_eq!(docker.undo(&run, &entry(MACHINE, run.id(), &name, None)).await.unwrap(), Undo::Done);
    assert!(engine.docker(&["inspect", &name]).is_none(), "the container is still there");
}

/// Creates an image with this name and these labels, as a commit does.
fn create_image(engine: &Engine, name: &str, labels: &str) {
    let import = format!(
        "tar -c -C / etc/hostname | docker --host {} import -c 'LABEL {labels} ami-bake:reference={name}' - {name}",
        engine.host()
    );
    assert!(std::process::Command::new("sh").args(["-c", &import]).status().unwrap().success());
}

fn unused_name() -> String {
    format!("undo-{}/web:1.0.0", uuid::Uuid::new_v4().simple())
}

/// The run did not wait for the answer to its commit request, and the daemon creates the image during the clean-up. A
/// candidate is deleted; an image that passed its tests has its final name and stays.
#[tokio::test]
async fn an_image_that_is_created_during_the_clean_up_is_undone_unless_it_is_tested() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let kept = Undo::Kept("it is registered and tested".to_owned());
    for (more, undone) in [("", Undo::Done), (" ami-bake:tested=2026-01-01T00:00:00Z", kept)] {
        let name = unused_name();
        let late = {
            let (engine, name, pauses) = (Engine::get(), name.clone(), AtomicU32::new(0));
            let labels = format!("ami-bake:run=r1{more}");
            move || {
                if pauses.fetch_add(1, Ordering::Relaxed) == 3 {
                    create_image(&engine, &name, &labels);
                }
            }
        };
        let clock = Arc::new(ManualClock::skipping(Duration::from_secs(1), late));
        let (run, _events) = runs::with(clock, &[]);
        assert_eq!(docker.undo(&run, &entry(IMAGE, "r1", &name, None)).await.unwrap(), undone);
        assert_eq!(engine.docker(&["image", "inspect", &name]).is_none(), undone == Undo::Done);
        engine.docker(&["image", "rm", &name]);
    }
}

/// An image that was intended and never confirmed is found by its name, if this run made it.
#[tokio::test]
async fn an_earlier_image_of_the_same_name_is_not_undone() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let (run, _events) = runs::with(Arc::new(ManualClock::skipping(Duration::from_secs(1), || {})), &[]);
    let name = unused_name();
    create_image(&engine, &name, "ami-bake:run=r1");
    let entry = |run: &str| entry(IMAGE, run, &name, None);
    assert_eq!(docker.undo(&run, &entry("r2")).await.unwrap(), Undo::Done);
    assert!(engine.docker(&["image", "inspect", &name]).is_some());
    assert_eq!(docker.undo(&run, &entry("r1")).await.unwrap(), Undo::Done);
    assert!(engine.docker(&["image", "inspect", &name]).is_none());
}

/// A container ends by itself at its lifetime, and sweep finds it. A user's own container from a baked image is not a
/// machine.
#[tokio::test]
async fn what_expired_is_found_and_nothing_else() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let (run, _events) = runs::run();
    let machine = launch(&run, &docker, Duration::from_secs(2)).await;
    let theirs = format!("theirs-{}", machine.id());
    let labels = ["ami-bake:machine=other", "ami-bake:expires=2020-01-01T00:00:00Z"];
    let create =
        ["create", "--name", &theirs, "--label", labels[0], "--label", labels[1], ami_bake_testkit::docker::BASE, "sh"];
    engine.docker(&create).unwrap();
    let running = || engine.docker(&["inspect", "--format", "{{.State.Running}}", machine.id()]).unwrap();
    eventually("the container outlives its lifetime", || running() == "false").await;
    // Containers end after whole seconds of real time, but expire by the run's clock.
    let found = loop {
        let found = docker.expired(&run, &SweepScope::default()).await.unwrap().found;
        if found.iter().any(|orphan| orphan.id == machine.id()) {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(found.iter().all(|orphan| orphan.id != theirs));
    let ours = found.iter().find(|orphan| orphan.id == machine.id()).unwrap();
    assert_eq!((ours.about.as_str(), ours.run.as_deref()), ("build of tests/web", Some(run.id())));
    assert_eq!(docker.remove(&run, ours).await.unwrap(), Undo::Done);
    assert!(engine.docker(&["inspect", machine.id()]).is_none());
    engine.docker(&["rm", &theirs]).unwrap();
}
