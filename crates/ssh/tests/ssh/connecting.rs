//! Connecting: from the first packet to the login.

use std::process::Command;
use std::time::Duration;

use ami_bake_core::ErrorKind;
use ami_bake_core::communicator::{Communicator, Exit};
use ami_bake_ssh::{HostKey, Jump, Key, KeyType, Ssh};
use ami_bake_testkit::wait::{eventually, within_limit};
use tokio_util::sync::CancellationToken;

use crate::sshd::{LATER, Sshd, free_port, run, soon};

/// The error of a connection that must fail, tried for this many seconds.
async fn refused(target: ami_bake_ssh::Target, seconds: u64) -> ami_bake_core::Error {
    Ssh::connect(target, soon(seconds), CancellationToken::new()).await.unwrap_err()
}

/// The error of a connection that must fail without a retry: the deadline is beyond the time limit of any test.
async fn refused_at_once(target: ami_bake_ssh::Target) -> ami_bake_core::Error {
    within_limit("it is tried again and again", refused(target, LATER)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_up_late_is_found() {
    let mut sshd = Sshd::prepare();
    sshd.authorize();
    let target = sshd.target();
    let connecting = tokio::spawn(Ssh::connect(target, soon(LATER), CancellationToken::new()));
    // Lets some attempts fail; how many does not matter.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    sshd.up();
    let ssh = within_limit("the server is not found", connecting).await.unwrap().unwrap();
    assert_eq!(run(&ssh, "true").await.0, Exit::Status(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_installed_late_is_asked_again() {
    let mut sshd = Sshd::prepare();
    sshd.up();
    let target = sshd.target();
    let connecting = tokio::spawn(Ssh::connect(target, soon(LATER), CancellationToken::new()));
    eventually("no key is offered", || sshd.log().contains("Failed publickey")).await;
    sshd.authorize();
    within_limit("the key is not asked again", connecting).await.unwrap().unwrap();
    // The key is offered again on the same connection: newer servers lock out addresses with many failed connections.
    let connections = sshd.log().matches("Connection from").count();
    assert!(connections <= 2, "{connections} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_never_accepted_names_the_user() {
    let mut sshd = Sshd::prepare();
    sshd.configure(&format!("Banner {}", sshd.path("banner").display()));
    std::fs::write(sshd.path("banner"), "System is \u{1b}[31mbooting up\n").unwrap();
    sshd.up();
    let mut target = sshd.target();
    target.user = "ubuntu".into();
    let error = refused(target, 15).await;
    assert!(error.message().contains("refuses the login of user ubuntu"), "{error}");
    assert!(error.message().contains("System is booting up"), "{error}");
    assert!(error.help_text().unwrap().contains("ec2-user"));
    assert_eq!(error.kind(), ErrorKind::Build);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_host_key_is_definite() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    let expected = Key::generate(KeyType::Ed25519, "other").unwrap().public();
    target.host_key = HostKey::Pinned(expected.clone());
    let error = refused_at_once(target.clone()).await;
    assert!(error.message().contains(&sshd.host.public().fingerprint()), "{error}");
    assert!(error.message().contains(&expected.fingerprint()), "{error}");
    assert!(error.message().contains("intercepting the connection"), "{error}");

    target.host_key = HostKey::Fingerprint(expected.fingerprint());
    let error = refused_at_once(target.clone()).await;
    assert!(error.message().contains("intercepting the connection"), "{error}");

    target.host_key = HostKey::Fingerprint(sshd.host.public().fingerprint());
    let ssh = Ssh::connect(target, soon(LATER), CancellationToken::new()).await.unwrap();
    assert_eq!(ssh.host_key(), Some(sshd.host.public()));
}

/// A server without an ed25519 key can't be the machine whose ed25519 key is pinned.
#[tokio::test(flavor = "multi_thread")]
async fn another_type_of_host_key_is_definite_too() {
    let mut sshd = Sshd::prepare();
    sshd.authorize();
    sshd.has_host_key(KeyType::Ecdsa);
    sshd.up();
    let ed25519 = Key::generate(KeyType::Ed25519, "host").unwrap().public();
    let mut target = sshd.target();
    target.host_key = HostKey::Pinned(ed25519.clone());
    let error = refused_at_once(target.clone()).await;
    let offers = "no common host key algorithm; the machine offers ecdsa-sha2-nistp256, ami-bake offers ssh-ed25519";
    assert!(error.message().contains(offers), "{error}");
    assert!(error.help_text().unwrap().contains("host-key-type"), "{error:?}");

    target.host_key = HostKey::OneOf(vec![ed25519, sshd.host.public()]);
    let ssh = sshd.connect_to(target.clone()).await;
    assert_eq!(ssh.host_key(), Some(sshd.host.public()));
    target.host_key = HostKey::AcceptNew;
    sshd.connect_to(target).await;
}

/// One of several known keys must not stand in for an unknown key of its type.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_of_a_known_type_is_definite() {
    let sshd = Sshd::start();
    let keys = [KeyType::Ed25519, KeyType::Ecdsa].map(|kind| Key::generate(kind, "other").unwrap().public());
    let mut target = sshd.target();
    target.host_key = HostKey::OneOf(keys.to_vec());
    let error = refused_at_once(target).await;
    assert!(error.message().contains("intercepting the connection"), "{error}");
    assert!(keys.iter().all(|key| error.message().contains(&key.fingerprint())), "{error}");
}

/// What CIS, STIG and FIPS leave: NIST curves and groups, ECDSA and RSA keys.
#[tokio::test(flavor = "multi_thread")]
async fn hardened_servers_are_spoken_to() {
    for (kind, settings) in [
        (
            KeyType::Ecdsa,
            "KexAlgorithms ecdh-sha2-nistp384\nHostKeyAlgorithms ecdsa-sha2-nistp256,rsa-sha2-512\nPubkeyAcceptedAlgorithms ecdsa-sha2-nistp256,rsa-sha2-512",
        ),
        (
            KeyType::Rsa,
            "KexAlgorithms diffie-hellman-group14-sha256\nHostKeyAlgorithms rsa-sha2-256\nPubkeyAcceptedAlgorithms rsa-sha2-256\nCiphers aes192-ctr\nMACs hmac-sha2-256",
        ),
        (
            KeyType::Ed25519,
            "KexAlgorithms ecdh-sha2-nistp521,ecdh-sha2-nistp256\nCiphers aes128-ctr\nMACs hmac-sha2-512",
        ),
        (KeyType::Ed25519, "KexAlgorithms diffie-hellman-group-exchange-sha256\nCiphers aes256-gcm@openssh.com"),
    ] {
        let mut sshd = Sshd::prepare();
        sshd.has_host_key(kind);
        sshd.login = Key::generate(kind, "login").unwrap();
        sshd.configure(settings);
        sshd.authorize();
        sshd.up();
        assert_eq!(run(&sshd.connect().await, "true").await.0, Exit::Status(0), "{settings}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_common_algorithm_is_definite_and_lists_both_offers() {
    for (setting, what) in [
        (
            "KexAlgorithms diffie-hellman-group14-sha1",
            "key exchange algorithm; the machine offers diffie-hellman-group14-sha1, ami-bake offers mlkem768x25519-sha256",
        ),
        ("Ciphers aes256-cbc", "cipher; the machine offers aes256-cbc, ami-bake offers aes256-gcm@openssh.com"),
        (
            "MACs hmac-sha1\nCiphers aes256-ctr",
            "MAC algorithm; the machine offers hmac-sha1, ami-bake offers hmac-sha2-512-etm@openssh.com",
        ),
    ] {
        let mut sshd = Sshd::prepare();
        sshd.configure(setting);
        sshd.authorize();
        sshd.up();
        let error = refused_at_once(sshd.target()).await;
        assert!(error.message().contains(what), "{error}");
        assert!(!error.message().contains("kex-strict") && !error.message().contains("ext-info"), "{error}");
        assert!(error.help_text().unwrap().contains(setting.split(' ').next().unwrap()), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_host_key_is_pinned_from_then_on() {
    let mut sshd = Sshd::start();
    let mut target = sshd.target();
    target.host_key = HostKey::AcceptNew;
    let ssh = sshd.connect_to(target).await;
    assert_eq!(ssh.host_key(), Some(sshd.host.public()));
    sshd.down();
    std::fs::remove_file(sshd.path("host_key")).unwrap();
    Key::generate(KeyType::Ed25519, "new").unwrap().write(&sshd.path("host_key")).unwrap();
    sshd.up();
    let error = within_limit("it is tried again", ssh.reconnect(soon(LATER))).await.unwrap_err();
    assert!(error.message().contains("intercepting the connection"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let mut target = Sshd::prepare().target();
    target.port = free_port();
    let error = refused(target, 3).await;
    assert!(error.message().contains("refuses the connection"), "{error}");
}

/// 192.0.2.0/24 is for documentation (RFC 5737): no machine answers there.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers() {
    let mut target = Sshd::prepare().target();
    target.address = "192.0.2.1".into();
    let error = refused(target, 1).await;
    assert!(error.message().starts_with("could not connect to 192.0.2.1:"), "{error}");
    assert!(error.help_text().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_is_cancelled() {
    let mut target = Sshd::prepare().target();
    target.port = free_port();
    let cancel = CancellationToken::new();
    let connecting = tokio::spawn(Ssh::connect(target, soon(LATER), cancel.clone()));
    tokio::time::sleep(Duration::from_millis(200)).await;
    cancel.cancel();
    let error = within_limit("it is not cancelled", connecting).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_jump_host() {
    let (jump, mut machine) = (Sshd::start(), Sshd::prepare());
    machine.authorize();
    let mut target = machine.target();
    target.jump = Some(Jump {
        host: "127.0.0.1".into(),
        port: jump.port,
        user: "root".into(),
        agent: None,
        keys: vec![jump.login.clone()],
        host_key: HostKey::Pinned(jump.host.public()),
    });
    let connecting = tokio::spawn(Ssh::connect(target.clone(), soon(LATER), CancellationToken::new()));
    tokio::time::sleep(Duration::from_millis(700)).await;
    machine.up();
    let ssh = connecting.await.unwrap().unwrap();
    let (_, output) = run(&ssh, "echo $SSH_CONNECTION").await;
    assert!(output.stdout_text().trim().ends_with(&machine.port.to_string()), "{}", output.stdout_text());
    let data = vec![b'x'; 3_000_000];
    let mut count = ami_bake_core::output::Collect::default();
    let exec = ami_bake_core::communicator::Exec::new("wc -c").stdin(&data);
    assert_eq!(ssh.exec(exec, &mut count).await.unwrap(), Exit::Status(0));
    assert_eq!(count.stdout_text().trim(), "3000000");

    // The jump host goes down and comes back: the next call reconnects.
    jump.drop_connections();
    within_limit("the loss was not seen", ssh.closed()).await;
    assert_eq!(run(&ssh, "echo back").await.1.stdout_text(), "back\n");

    let mut wrong = target;
    wrong.jump.as_mut().unwrap().host_key = HostKey::Pinned(machine.host.public());
    let error = refused_at_once(wrong).await;
    assert!(error.message().starts_with("could not reach the jump host"), "{error}");
    assert!(error.message().contains("intercepting the connection"), "{error}");
}

/// OpenSSH's own agent has the key of the jump host; the target's keys do not open it.
#[tokio::test(flavor = "multi_thread")]
async fn through_a_jump_host_by_the_ssh_agent() {
    let (jump, mut machine) = (Sshd::start(), Sshd::prepare());
    machine.authorize();
    machine.up();
    let folder = tempfile::tempdir().unwrap();
    let (socket, key) = (folder.path().join("agent"), folder.path().join("key"));
    jump.login.write(&key).unwrap();
    // In the foreground, so that it ends with the test.
    let mut agent = std::process::Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    ami_bake_testkit::wait::until_true("the agent does not listen", || socket.exists());
    let add = |name: &std::path::Path| {
        let mut ssh_add = std::process::Command::new("ssh-add");
        let added = ssh_add.arg("-q").arg(name).env("SSH_AUTH_SOCK", &socket).stderr(std::process::Stdio::null());
        assert!(added.status().unwrap().success());
    };
    let other = Key::generate(KeyType::Ed25519, "other").unwrap();
    other.write(&folder.path().join("other")).unwrap();
    add(&folder.path().join("other"));
    let mut target = machine.target();
    target.jump = Some(Jump {
        host: "127.0.0.1".into(),
        port: jump.port,
        user: "root".into(),
        agent: Some(socket.clone()),
        keys: vec![other],
        host_key: HostKey::Pinned(jump.host.public()),
    });
    // The agent does not have the key yet.
    let error = refused(target.clone(), 2).await;
    assert!(error.to_string().contains("has 1 key"), "{error}");
    add(&key);
    let ssh = Ssh::connect(target, soon(LATER), CancellationToken::new()).await.unwrap();
    assert_eq!(run(&ssh, "echo through").await.1.stdout_text(), "through\n");
    agent.kill().unwrap();
    agent.wait().unwrap();
}

/// The `ssh` command line that users are shown works unchanged, with the host key pinned.
#[tokio::test(flavor = "multi_thread")]
async fn the_printed_ssh_line_logs_in() {
    let sshd = Sshd::start();
    let ssh = sshd.connect().await;
    let key = sshd.path("a key");
    ssh.write_key(&key).unwrap();
    assert!(ssh.write_key(&key).is_err());
    let line = ssh.ssh_line(&key);
    let output =
        Command::new("sh").args(["-c", &format!("{line} -F none 'echo in; exit 5' </dev/null")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "in\n", "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(5));

    let mut other = Sshd::prepare();
    other.authorize();
    other.up();
    let wrong = line.replace(&sshd.port.to_string(), &other.port.to_string());
    let output = Command::new("sh").args(["-c", &format!("{wrong} -F none true </dev/null")]).output().unwrap();
    assert_eq!(output.status.code(), Some(255), "a wrong host key was accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rsa_login_key_works() {
    let mut sshd = Sshd::prepare();
    let path = sshd.path("rsa");
    Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM", "-f"])
        .arg(&path)
        .status()
        .unwrap();
    sshd.login = Key::parse(&std::fs::read_to_string(&path).unwrap().into()).unwrap();
    sshd.authorize();
    sshd.up();
    assert_eq!(run(&sshd.connect().await, "true").await.0, Exit::Status(0));
}
