//! Tests of the sandbox itself, by its hidden command line.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use ami_bake_local::sandbox::{Bind, COMMAND, Network, Spec};
use ami_bake_testkit::wait::eventually;

use crate::fixture::{PROGRAM, is_running, long_sleep};

fn spec(folder: &Path, script: &str) -> Spec {
    Spec {
        lower: vec!["/".into()],
        upper: folder.join("upper"),
        work: folder.join("work"),
        hostname: "box".to_owned(),
        init: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        hide: vec![folder.into()],
        ..Spec::default()
    }
}

fn command(folder: &Path, spec: &Spec) -> Command {
    let path = folder.join("spec.json");
    std::fs::write(&path, serde_json::to_vec(spec).unwrap()).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg(COMMAND).arg(path);
    command
}

fn run(folder: &Path, spec: &Spec) -> Output {
    command(folder, spec).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn it_sees_its_own_world() {
    let folder = tempfile::tempdir().unwrap();
    let boot_id = "11111111-2222-4333-8444-555555555555";
    let script = "hostname; echo $$; cat /proc/sys/kernel/random/boot_id; ls -A /run/ami-bake /tmp 2>/dev/null | grep -v :; \
                  echo changed >/etc/issue; echo x >/dev/null; test -w /proc/sys/kernel/hostname || echo guarded; \
                  head -c 3 /dev/urandom | wc -c; ls -d /dev/kmsg 2>/dev/null; exit 7";
    let before = std::fs::read("/etc/issue").ok();
    let output = run(folder.path(), &Spec { boot_id: Some(boot_id.to_owned()), ..spec(folder.path(), script) });
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert_eq!(text(&output), format!("box\n2\n{boot_id}\nguarded\n3\n"));
    assert_eq!(std::fs::read("/etc/issue").ok(), before, "the host is as it was");
    assert_eq!(std::fs::read_to_string(folder.path().join("upper/etc/issue")).unwrap(), "changed\n");
}

#[test]
fn hidden_is_empty_and_what_is_written_there_is_kept() {
    // Not in `/tmp`, which is private in every sandbox.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let secret = folder.path().join("secret");
    std::fs::create_dir(&secret).unwrap();
    std::fs::write(secret.join("key"), "private").unwrap();
    std::fs::write(folder.path().join("file"), "private").unwrap();
    let inside = secret.display();
    let script =
        format!("ls -A {inside}; ls {inside}/../file 2>&1 | wc -l; echo mine >{inside}/new; cat /etc/hostname");
    let spec = Spec {
        hide: vec![secret.clone(), folder.path().join("file")],
        replace: [("/etc/hostname".into(), "replaced\n".to_owned())].into(),
        ..spec(folder.path(), &script)
    };
    let output = run(folder.path(), &spec);
    assert_eq!(text(&output), if Path::new("/etc/hostname").exists() { "1\nreplaced\n" } else { "1\n" }, "{output:?}");
    let kept = folder.path().join("upper").join(secret.strip_prefix("/").unwrap()).join("new");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "mine\n");
    assert!(!secret.join("new").exists());
}

#[test]
fn no_network_is_loopback_alone() {
    let folder = tempfile::tempdir().unwrap();
    let script = "tail -n +3 /proc/net/dev | wc -l; cat /sys/class/net/lo/operstate; ls /sys/class/net";
    let output = run(folder.path(), &Spec { network: Network::None, ..spec(folder.path(), script) });
    assert_eq!(text(&output), "1\nunknown\nlo\n", "{output:?}");
}

#[test]
fn binds_show_the_host_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("shared");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), "x").unwrap();
    let bind = |target: &str, read_only| Bind { source: source.clone(), target: target.into(), read_only };
    let script = "cat /srv/a/file; echo y >/srv/a/new; echo y >/srv/b/no 2>/dev/null || echo refused";
    let spec = Spec { binds: vec![bind("/srv/a", false), bind("/srv/b", true)], ..spec(folder.path(), script) };
    let output = run(folder.path(), &spec);
    assert_eq!(text(&output), "xrefused\n", "{output:?}");
    assert!(source.join("new").exists() && !source.join("no").exists());
}

#[test]
fn a_mounted_part_of_the_system_is_seen_and_its_changes_are_kept() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let [part, spec_file] = ["part", "spec.json"].map(|name| folder.path().join(name));
    std::fs::create_dir_all(part.join("closed")).unwrap();
    std::fs::write(part.join("file"), "on its own disk\n").unwrap();
    std::fs::write(part.join("closed/key"), "private").unwrap();
    let script = "cat /srv/file; ls /srv/closed; echo new >/srv/new; rm /srv/file";
    let hide = vec![folder.path().into(), "/srv/closed".into()];
    std::fs::write(&spec_file, serde_json::to_vec(&Spec { hide, ..spec(folder.path(), script) }).unwrap()).unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount --bind $0 /srv && exec $1 $2 $3"])
        .args([part.as_os_str(), PROGRAM.as_ref(), COMMAND.as_ref(), spec_file.as_os_str()])
        .output()
        .unwrap();
    assert_eq!(text(&output), "on its own disk\n", "{output:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("upper/srv/new")).unwrap(), "new\n");
    assert!(part.join("file").exists() && !part.join("new").exists());
    // Another layer on top shows the same files.
    let script = "ls /srv";
    let over = Spec {
        lower: vec![folder.path().join("upper"), "/".into()],
        upper: folder.path().join("upper-2"),
        hide: vec!["/srv/closed".into()],
        ..spec(folder.path(), script)
    };
    std::fs::write(&spec_file, serde_json::to_vec(&over).unwrap()).unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount --bind $0 /srv && exec $1 $2 $3"])
        .args([part.as_os_str(), PROGRAM.as_ref(), COMMAND.as_ref(), spec_file.as_os_str()])
        .output()
        .unwrap();
    assert_eq!(text(&output), "closed\nnew\n", "{output:?}");
}

#[test]
fn what_fails_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &Spec { init: vec!["/no/program".to_owned()], ..spec(folder.path(), "") });
    assert_eq!(output.status.code(), Some(125));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("could not start /no/program in the sandbox: No such file"), "{said}");
    let output = run(folder.path(), &Spec { lower: vec!["/no/layer".into()], ..spec(folder.path(), "") });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("/no/layer"), "{said}");
}

/// A sandbox with a daemon in a session of its own, which runs as long as `sleep` says.
fn daemon(folder: &Path, sleep: &str, change: impl FnOnce(&mut Spec)) -> Child {
    let mut spec = spec(folder, &format!("trap 'exit 3' TERM; setsid {sleep} & {sleep} & wait"));
    change(&mut spec);
    command(folder, &spec).stdin(Stdio::piped()).spawn().unwrap()
}

/// A sandbox whose daemon is running when this returns, and the text by which to find it.
async fn running_daemon(folder: &Path, change: impl FnOnce(&mut Spec)) -> (Child, String) {
    let sleep = long_sleep();
    let child = daemon(folder, &sleep, change);
    eventually("the daemon does not run", || is_running(&sleep)).await;
    (child, sleep)
}

#[tokio::test]
async fn a_killed_holder_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut holder, daemon) = running_daemon(folder.path(), |_| {}).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    eventually("a process lives on", || !is_running(&daemon)).await;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(folder.path().to_str().unwrap()), "no mount is left");
}

#[tokio::test]
async fn sigterm_goes_to_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (mut holder, daemon) = running_daemon(folder.path(), |_| {}).await;
    let pid = rustix::process::Pid::from_child(&holder);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(holder.wait().unwrap().code(), Some(3));
    assert!(!is_running(&daemon), "the daemon goes with init");
}

#[tokio::test]
async fn the_lifeline_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut holder, daemon) = running_daemon(folder.path(), |spec| spec.lifeline = true).await;
    drop(holder.stdin.take());
    assert_eq!(holder.wait().unwrap().code(), Some(128 + 9));
    assert!(!is_running(&daemon));
}

#[tokio::test]
async fn a_lifetime_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    // It does not matter whether the daemon has started before.
    let mut holder = daemon(folder.path(), "sleep 3600", |spec| spec.lifetime = Some(1));
    assert_eq!(holder.wait().unwrap().code(), Some(128 + 9));
}
