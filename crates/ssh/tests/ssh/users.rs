//! Logins of users other than root.

use std::fs;
use std::process::Command;
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::output::Collect;
use ami_bake_ssh::{RootAccess, RootProgram, Ssh, Target};
use ami_bake_testkit::wait::within_limit;
use tokio_util::sync::CancellationToken;

use crate::sshd::{LATER, Sshd, run, running, soon};

/// A server in whose eyes there is a user `baker` without a password; the host's own files stay as they are.
fn with_baker(sudoers: &str) -> Sshd {
    with_passwords(sudoers, "*", "*")
}

/// The same with the hashes of two passwords.
fn with_passwords(sudoers: &str, baker: &str, root: &str) -> Sshd {
    assert!(
        std::path::Path::new("/usr/bin/sudo").exists(),
        "/usr/bin/sudo is missing; these tests need it: apt-get install -y sudo"
    );
    let mut sshd = Sshd::prepare();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    fs::write(sshd.path("passwd"), passwd + "baker:x:4242:4242:O'Baker:/tmp:/bin/sh\n").unwrap();
    let shadow = fs::read_to_string("/etc/shadow").unwrap();
    let others = shadow.lines().filter(|line| !line.starts_with("root:")).map(|line| format!("{line}\n"));
    let own = format!("root:{root}:19000:0:99999:7:::\nbaker:{baker}:19000:0:99999:7:::\n");
    fs::write(sshd.path("shadow"), others.collect::<String>() + &own).unwrap();
    fs::write(sshd.path("doas.conf"), "permit baker as root\n").unwrap();
    let sudoers = format!("root ALL=(ALL:ALL) ALL\n{sudoers}\n");
    fs::write(sshd.path("sudoers"), sudoers).unwrap();
    let folder = sshd.folder.path().display().to_string();
    sshd.in_namespace(&format!(
        "mount --make-rprivate /; chmod 0440 {folder}/sudoers; chmod 0640 {folder}/shadow; mkdir {folder}/over\n\
         mount -t tmpfs none {folder}/over; mkdir {folder}/over/upper {folder}/over/work\n\
         mount -t overlay none -o lowerdir=/etc,upperdir={folder}/over/upper,workdir={folder}/over/work /etc\n\
         cp {folder}/doas.conf /etc/doas.conf; chmod 0400 /etc/doas.conf\n\
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
        // Another connection has nothing to keep: it gets what the machine grants now.
        let mut target = sshd.target();
        target.user = "baker".into();
        let again = Ssh::connect(target, soon(2), CancellationToken::new()).await;
        if hardened.contains("requiretty") {
            again.unwrap().close().await;
        } else {
            let error = again.unwrap_err();
            assert!(error.message().contains("can't become root"), "{error}");
        }
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
    sshd.connect_to(as_baker(sshd)).await
}

fn as_baker(sshd: &Sshd) -> Target {
    Target { user: "baker".into(), ..sshd.target() }
}

/// The hash of a password as in /etc/shadow.
fn hash(password: &str) -> String {
    let output = Command::new("openssl").args(["passwd", "-6", password]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Source images of CIS: sudo in a terminal alone.
#[tokio::test(flavor = "multi_thread")]
async fn sudo_may_require_a_terminal() {
    let sshd = with_baker("Defaults requiretty\nbaker ALL=(ALL) NOPASSWD:ALL");
    let ssh = baker(&sshd).await;
    as_root(&sshd, &ssh, &Exit::Status(128 + 15)).await;
    let mut target = as_baker(&sshd);
    target.root.pty = true;
    let ssh = sshd.connect_to(target).await;
    assert_eq!(run(&ssh, "id -u").await.1.stdout_text(), "0\n");
}

/// The password is typed into a terminal: no process has it among its arguments or in its environment.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_makes_root() {
    const OWN: &str = "its-own pass'word";
    const ROOTS: &str = "root's \"password\"";
    assert!(std::path::Path::new("/usr/bin/doas").exists(), "these tests need doas: apt-get install -y opendoas");
    let sudoers = "Defaults requiretty\nbaker ALL=(ALL) ALL";
    for (program, password) in [(RootProgram::Sudo, OWN), (RootProgram::Doas, OWN), (RootProgram::Su, ROOTS)] {
        let sshd = with_passwords(sudoers, &hash(OWN), &hash(ROOTS));
        let access = RootAccess { through: Some(program), password: Some(password.to_owned().into()), pty: false };
        let ssh = sshd.connect_to(Target { root: access.clone(), ..as_baker(&sshd) }).await;
        as_root(&sshd, &ssh, &Exit::Status(128 + 15)).await;
        let (_, output) = run(&ssh, "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; true").await;
        assert!(output.stdout_text().contains("ami-bake-root."), "the keeper is among them");
        assert!(!output.stdout_text().contains(password), "{program:?}: a process has the password");
        // A wrong one is not tried again: some machines lock the account.
        let wrong = RootAccess { password: Some("another".to_owned().into()), ..access };
        let target = Target { root: wrong, ..as_baker(&sshd) };
        let refused = Ssh::connect(target, soon(LATER), CancellationToken::new());
        let error = within_limit("a wrong password is tried again", refused).await.unwrap_err();
        assert!(error.message().contains("could not become root"), "{error}");
        assert!(!error.message().contains("another"), "{error}");
    }
}

/// A connection is lost after a step took the rights away: the next one finds what the first one had.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_costs_no_rights() {
    let sshd = with_baker("baker ALL=(ALL) NOPASSWD:ALL");
    let ssh = baker(&sshd).await;
    fs::write(sshd.path("sudoers"), "root ALL=(ALL:ALL) ALL\n").unwrap();
    assert_eq!(run(&ssh, "id -u").await.1.stdout_text(), "0\n");
    sshd.drop_connections();
    within_limit("the loss is not noticed", ssh.closed()).await;
    assert_eq!(run(&ssh, "id -u").await.1.stdout_text(), "0\n");
}

/// The login name is not known: each is tried on a connection of its own.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_users_logs_in() {
    let sshd = with_baker("baker ALL=(ALL) NOPASSWD:ALL");
    let target =
        Target { user: "ec2-user".into(), other_users: vec!["ubuntu".into(), "baker".into()], ..sshd.target() };
    let ssh = sshd.connect_to(target).await;
    assert_eq!(ssh.user(), "baker");
    assert_eq!(run(&ssh, "id -u").await.1.stdout_text(), "0\n");
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
