//! Tests of machines: visible files, ends of commands, remains.

use std::process::Stdio;
use std::time::Duration;

use ami_bake_core::communicator::{Exec, Exit};
use ami_bake_core::output::Collect;
use ami_bake_core::plan::MachineSettings;
use ami_bake_core::platform::{Platform, SweepScope, Undo};
use ami_bake_testkit::output::FirstOutput;
use ami_bake_testkit::wait::eventually;

use crate::fixture::{LocalFixture, is_running, long_sleep, sh};

#[tokio::test]
async fn credentials_of_this_system_are_not_visible() {
    let fixture = LocalFixture::new();
    let source = fixture.source("host").await;
    let (machine, inside) = fixture.launch(&source).await;
    let store = fixture.store().display();
    assert_eq!(sh(inside.as_ref(), &format!("ls -A /root /home {store} 2>/dev/null | grep -v :")).await.trim(), "");
    assert_eq!(sh(inside.as_ref(), "grep -c '[$]' /etc/shadow || true").await, "0\n");
    let private = sh(inside.as_ref(), "find /etc -type f ! -perm -o=r ! -path '/etc/sudoers*' ! -name .pwd.lock").await;
    assert!(
        private.lines().all(|path| path.starts_with("/etc/shadow") || path.starts_with("/etc/gshadow")),
        "{private}"
    );
    machine.destroy(&fixture.run).await.unwrap();
}

#[tokio::test]
async fn the_environment_of_the_bake_is_hidden() {
    // Cargo sets variables in this process's environment.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let fixture = LocalFixture::new();
    let source = fixture.source("host").await;
    let (machine, inside) = fixture.launch(&source).await;
    assert_eq!(sh(inside.as_ref(), "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c ^CARGO || true").await, "0\n");
    assert!(sh(inside.as_ref(), "env").await.contains("HOME=/root\n"));
    machine.destroy(&fixture.run).await.unwrap();
}

#[tokio::test]
async fn a_lost_sandbox_is_not_an_exit_status() {
    let fixture = LocalFixture::new();
    let source = fixture.source("host").await;
    let (machine, inside) = fixture.launch(&source).await;
    let (mut output, begun) = FirstOutput::new();
    let ended = async {
        begun.await.unwrap();
        machine.destroy(&fixture.run).await.unwrap();
    };
    let (exit, ()) = tokio::join!(inside.exec(Exec::new("echo begun; sleep 3600"), &mut output), ended);
    assert!(matches!(exit, Ok(Exit::Lost(_))), "{exit:?}");
    assert_eq!(output.output.stdout_text(), "begun\n");
    let exit = inside.exec(Exec::new("true"), &mut output).await.unwrap();
    assert!(matches!(exit, Exit::Lost(_)), "{exit:?}");
}

#[tokio::test]
async fn exits_are_distinguished() {
    let fixture = LocalFixture::new();
    let source = fixture.source("host").await;
    let (machine, inside) = fixture.launch(&source).await;
    let ran = async |command: &str| inside.exec(Exec::new(command), &mut Collect::default()).await.unwrap();
    assert_eq!(ran("exit 137").await, Exit::Status(137));
    assert_eq!(ran("kill -KILL $$").await, Exit::Signal("KILL".to_owned()));
    assert_eq!(ran("kill -SEGV $$").await, Exit::Signal("SEGV".to_owned()));
    // A daemon that keeps the output open does not block the command, and lives on.
    let (daemon, late, dropped) = (long_sleep(), long_sleep(), long_sleep());
    assert_eq!(ran(&format!("setsid {daemon} & exit 0")).await, Exit::Status(0));
    eventually("the daemon does not run", || is_running(&daemon)).await;
    // A command that times out is killed with its processes in other sessions.
    let limit = Duration::from_millis(300);
    let slow = format!("(setsid {late} &) ; {late}");
    let slow = Exec::new(&slow).timeout(limit);
    assert_eq!(inside.exec(slow, &mut Collect::default()).await.unwrap(), Exit::TimedOut(limit));
    assert!(!is_running(&late) && is_running(&daemon));
    // A command whose caller is dropped ends.
    let (mut output, begun) = FirstOutput::new();
    let command = format!("echo begun; {dropped}");
    tokio::select! {
        exit = inside.exec(Exec::new(&command), &mut output) => panic!("{exit:?}"),
        begun = begun => begun.unwrap(),
    }
    eventually("the dropped command lives on", || !is_running(&dropped)).await;
    machine.destroy(&fixture.run).await.unwrap();
    assert!(!is_running(&daemon));
}

#[tokio::test]
async fn a_command_reads_all_of_its_input_or_none() {
    let fixture = LocalFixture::new();
    let source = fixture.source("host").await;
    let (machine, inside) = fixture.launch(&source).await;
    let much = vec![b'x'; 3 << 20];
    let mut output = Collect::default();
    inside.exec(Exec::new("wc -c").stdin(&much), &mut output).await.unwrap();
    assert_eq!(output.stdout_text().trim(), (3 << 20).to_string());
    let exit = inside.exec(Exec::new("exit 4").stdin(&much), &mut Collect::default()).await.unwrap();
    assert_eq!(exit, Exit::Status(4));
    let mut output = Collect::default();
    inside.exec(Exec::new("head -c 5000000 /dev/zero"), &mut output).await.unwrap();
    assert_eq!(output.stdout.len(), 5_000_000);
    machine.destroy(&fixture.run).await.unwrap();
}

#[tokio::test]
async fn no_network_reaches_nothing() {
    let fixture = LocalFixture::new();
    let source = fixture.source("host").await;
    let settings = MachineSettings { network: Some(false), ..MachineSettings::default() };
    let machine = fixture.launch_with(&source, &settings).await;
    let inside = machine.connect(&fixture.run).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = inside.dial("127.0.0.1", port).await.err().unwrap();
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert_eq!(sh(inside.as_ref(), "ls /sys/class/net").await, "lo\n");
    machine.destroy(&fixture.run).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_run_side_by_side() {
    let fixture = LocalFixture::new();
    let source = fixture.source("host").await;
    let one = async |number: usize| {
        let (machine, inside) = fixture.launch(&source).await;
        let said = sh(inside.as_ref(), &format!("echo {number} >/opt/number; cat /opt/number; ps -e | wc -l")).await;
        machine.destroy(&fixture.run).await.unwrap();
        said
    };
    let all: Vec<String> = futures_in_order((0..20).map(one)).await;
    for (number, said) in all.iter().enumerate() {
        assert!(said.starts_with(&format!("{number}\n")), "{said}");
    }
    assert!(fixture.run.ledger().open_entries().is_empty());
}

/// Runs all futures concurrently; the results are in the order of the futures.
async fn futures_in_order<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pending: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut ready = true;
        for (future, answer) in &mut pending {
            if answer.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *answer = Some(value),
                    std::task::Poll::Pending => ready = false,
                }
            }
        }
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    pending.into_iter().filter_map(|(_, answer)| answer).collect()
}

/// Helper process of the next case: starts a machine and waits to be killed.
#[tokio::test]
#[ignore = "the other process of a_killed_bake_is_cleaned_up"]
async fn a_bake_to_kill() {
    let store = std::path::PathBuf::from(std::env::var_os("BAKE_TO_KILL").unwrap());
    let mut fixture = LocalFixture::new();
    fixture.local = ami_bake_local::Local::new(&store, crate::fixture::PROGRAM.into()).unwrap();
    let source = fixture.source("host").await;
    let (_machine, inside) = fixture.launch(&source).await;
    let daemon = std::env::var("DAEMON").unwrap();
    sh(inside.as_ref(), &format!("setsid {daemon} >/dev/null 2>&1 &")).await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_bake_is_cleaned_up() {
    let fixture = LocalFixture::new();
    let daemon = long_sleep();
    let mut other = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "machines::a_bake_to_kill", "--ignored"])
        .env("BAKE_TO_KILL", fixture.store())
        .env("DAEMON", &daemon)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the other bake's daemon does not run", || is_running(&daemon)).await;
    let machines = fixture.store().join("machines");
    assert!(
        fixture.local.expired(&fixture.run, &SweepScope::default()).await.unwrap().found.is_empty(),
        "the machine of a running bake is not an orphan"
    );
    other.kill().await.unwrap();
    eventually("the daemon lives on", || !is_running(&daemon)).await;
    let left = fixture.local.expired(&fixture.run, &SweepScope::default()).await.unwrap().found;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((left[0].kind.as_str(), left[0].about.as_str()), ("sandbox", "build of shop/web"));
    assert_eq!(std::fs::read_dir(&machines).unwrap().count(), 1);
    assert_eq!(fixture.local.remove(&fixture.run, &left[0]).await.unwrap(), Undo::Done);
    assert_eq!(std::fs::read_dir(&machines).unwrap().count(), 0);
    eventually("the files are still in the trash", || {
        std::fs::read_dir(fixture.store().join("trash")).unwrap().count() == 0
    })
    .await;
}

#[tokio::test]
async fn a_kept_machine_can_be_entered() {
    use tokio::io::AsyncWriteExt;
    let fixture = LocalFixture::new();
    let source = fixture.source("host").await;
    let (machine, inside) = fixture.launch(&source).await;
    sh(inside.as_ref(), "echo broken >/opt/state").await;
    let hint = machine.keep(&fixture.run, &fixture.folder.path().to_owned().into()).await.unwrap();
    drop((machine, inside));
    let spec = hint.rsplit(' ').next().unwrap();
    let mut shell = tokio::process::Command::new(crate::fixture::PROGRAM)
        .args([ami_bake_local::sandbox::COMMAND, spec])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(b"cat /opt/state; exit 5\n").await.unwrap();
    let output = shell.wait_with_output().await.unwrap();
    assert_eq!((String::from_utf8_lossy(&output.stdout).as_ref(), output.status.code()), ("broken\n", Some(5)));
    assert!(
        fixture.local.expired(&fixture.run, &SweepScope::default()).await.unwrap().found.is_empty(),
        "it is kept for two hours"
    );
}
