//! Logins of users other than root.

use std::fs;
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::output::Collect;
use ami_bake_ssh::Ssh;
use ami_bake_testkit::wait::within_limit;
use tokio_util::sync::CancellationToken;

use crate::sshd::{Sshd, run, running, soon};

/// A server in a mount namespace with a user `baker`; the host's own files do not change.
fn with_baker(sudoers: &str) -> Sshd {
    assert!(
        std::path::Path::new("/usr/bin/sudo").exists(),
        "/usr/bin/sudo is missing; these tests need it: apt-get install -y sudo"
    );
    let mut sshd = Sshd::prepare();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    fs::write(sshd.path("passwd"), passwd + "baker:x:4242:4242:O'Baker:/tmp:/bin/sh\n").unwrap();
    let shadow = fs::read_to_string("/etc/shadow").unwrap();
    fs::write(sshd.path("shadow"), shadow + "baker:*:19000:0:99999:7:::\n").unwrap();
    let sudoers = format!("root ALL=(ALL:ALL) ALL\n{sudoers}\n");
    fs::write(sshd.path("sudoers"), sudoers).unwrap();
    let folder = sshd.folder.path().display().to_string();
    sshd.in_namespace(&format!(
        "mount --make-rprivate /; chmod 0440 {folder}/sudoers; chmod 0640 {folder}/shadow\n\
         for file in passwd shadow sudoers; do mount --bind {folder}/$file /etc/$file; done"
    ));
    sshd.authorize();
    sshd.up();
    sshd
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_sudo_runs_everything_as_root() {
    everything_as_root("baker ALL=(ALL) NOPASSWD:ALL").await;
}

/// The default of Debian 12 and Ubuntu 24.04: sudo runs commands in a pseudo-terminal of its own and copies the streams.
#[tokio::test(flavor = "multi_thread")]
async fn sudo_may_use_a_pseudo_terminal() {
    everything_as_root("Defaults use_pty\nbaker ALL=(ALL) NOPASSWD:ALL").await;
}

/// Hardening steps may remove sudo rights, or require a password or a terminal: a connection keeps running commands as
/// root.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_root_when_the_connection_began_stays_so() {
    for hardened in ["baker ALL=(ALL) ALL", "Defaults requiretty\nbaker ALL=(ALL) NOPASSWD:ALL", ""] {
        let sshd = with_baker("baker ALL=(ALL) NOPASSWD:ALL");
        let ssh = baker(&sshd).await;
        fs::write(sshd.path("sudoers"), format!("root ALL=(ALL:ALL) ALL\n{hardened}\n")).unwrap();
        as_root(&sshd, &ssh, &Exit::Status(128 + 15)).await;
        // A new connection has no keeper.
        let mut target = sshd.target();
        target.user = "baker".into();
        let error = Ssh::connect(target, soon(2), CancellationToken::new()).await.unwrap_err();
        assert!(error.message().contains("can't become root"), "{error}");
        assert_ne!(sshd.beside("keeper /run/ami-bake-root."), 0, "it lasts as long as the connection");
        ssh.close().await;
        within_limit("the keeper outlives its connection", async {
            while sshd.beside("keeper /run/ami-bake-root.") > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    }
}

async fn baker(sshd: &Sshd) -> Ssh {
    let mut target = sshd.target();
    target.user = "baker".into();
    sshd.connect_to(target).await
}

async fn everything_as_root(sudoers: &str) {
    let sshd = with_baker(sudoers);
    let ssh = baker(&sshd).await;
    as_root(&sshd, &ssh, &Exit::Signal("TERM".into())).await;
}

/// Asserts that commands run as root; `killed` is the expected end of a command that kills itself.
async fn as_root(sshd: &Sshd, ssh: &Ssh, killed: &Exit) {
    let (exit, output) = run(ssh, "id -un; echo \"$HOME it's 'quoted'\"; cat; exit 9").await;
    assert_eq!((exit, output.stdout_text().as_str()), (Exit::Status(9), "root\n/root it's 'quoted'\n"));
    assert_eq!(run(ssh, "kill -TERM $$").await.0, *killed);

    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut output = Collect::default();
    let exit = ssh.exec(Exec::new("cat; echo error >&2").stdin(&bytes), &mut output).await.unwrap();
    assert_eq!((exit, output.stdout == bytes, output.stderr_text().as_str()), (Exit::Status(0), true, "error\n"));

    let mark = format!("33{}", sshd.port);
    let limit = Duration::from_secs(2);
    let command = format!("trap '' TERM; setsid sleep {mark} & sleep {mark}; sleep {mark}");
    let mut output = Collect::default();
    let exit = ssh.exec(Exec::new(&command).timeout(limit), &mut output).await.unwrap();
    assert_eq!((exit, output.stderr_text().as_str()), (Exit::TimedOut(limit), ""));
    assert_eq!(running(&mark), 0, "a process of root survived");

    let place = sshd.path("placed");
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_uid(4242);
    header.set_gid(7);
    header.set_mode(0o4750);
    archive.append_data(&mut header, "file", &b"hi"[..]).unwrap();
    let bytes = archive.into_inner().unwrap();
    ssh.put(Box::new(&bytes[..]), &place.to_string_lossy()).await.unwrap();
    let (_, output) = run(ssh, &format!("stat -c '%u %g %a' {}", place.join("file").display())).await;
    assert_eq!(output.stdout_text(), "4242 7 4750\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_sudo_gets_a_clear_error() {
    let sshd = with_baker("");
    let mut target = sshd.target();
    target.user = "baker".into();
    let error = Ssh::connect(target, soon(15), CancellationToken::new()).await.unwrap_err();
    assert!(error.message().contains("user baker is logged in but can't become root"), "{error}");
    assert!(error.message().contains("sudo: a password is required"), "{error}");
    assert!(error.help_text().unwrap().contains("NOPASSWD"), "{error:?}");
}

/// Debian's and Ubuntu's cloud images answer a login as root with a forced command that prints a message.
#[tokio::test(flavor = "multi_thread")]
async fn a_root_login_that_is_only_a_signpost() {
    let mut sshd = Sshd::prepare();
    let line = format!(
        "command=\"echo 'Please login as the user \\\"ubuntu\\\" rather than the user \\\"root\\\".';exit 142\" {}\n",
        sshd.login.public().line()
    );
    fs::write(sshd.path("authorized_keys"), line).unwrap();
    sshd.up();
    let error = Ssh::connect(sshd.target(), soon(15), CancellationToken::new()).await.unwrap_err();
    assert!(error.message().contains("Please login as the user \"ubuntu\""), "{error}");
    assert!(error.help_text().unwrap().contains("machine.user"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_a_shell_gets_a_clear_error() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    target.user = "nobody".into();
    let error = Ssh::connect(target, soon(15), CancellationToken::new()).await.unwrap_err();
    assert!(error.message().contains("user nobody is logged in but can't become root"), "{error}");
    assert!(error.message().contains("not available"), "{error}");
}

/// bash reads start-up files even for a single command. What they print is neither output nor part of an archive.
#[tokio::test(flavor = "multi_thread")]
async fn a_talkative_login_shell_confuses_nobody() {
    let mut sshd = Sshd::prepare();
    let home = sshd.path("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join(".bashrc"), "echo Welcome; echo Beware >&2\n").unwrap();
    let folder = sshd.folder.path().display().to_string();
    let passwd = format!("root:x:0:0:root:{folder}/home:/bin/bash\nsshd:x:102:65534::/run/sshd:/usr/sbin/nologin\n");
    fs::write(sshd.path("passwd"), passwd).unwrap();
    sshd.in_namespace(&format!("mount --make-rprivate /; mount --bind {folder}/passwd /etc/passwd"));
    sshd.authorize();
    sshd.up();
    let ssh = sshd.connect().await;
    let (exit, output) = run(&ssh, "echo out; echo err >&2; echo $HOME").await;
    assert_eq!(exit, Exit::Status(0));
    assert_eq!((output.stdout_text(), output.stderr_text()), (format!("out\n{folder}/home\n"), "err\n".to_owned()));
    let mut archive = Vec::new();
    ssh.get(&format!("{folder}/passwd"), Box::new(std::io::Cursor::new(&mut archive))).await.unwrap();
    let mut reader = tar::Archive::new(&archive[..]);
    assert_eq!(reader.entries().unwrap().next().unwrap().unwrap().path_bytes().as_ref(), b"passwd");
}
