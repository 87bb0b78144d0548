//! Servers that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Exec, Exit};
use ami_bake_core::output::Collect;
use ami_bake_ssh::{HostKey, Key, KeyType, PublicKey, Ssh, Target};
use ami_bake_testkit::wait::within_limit;
use russh::keys::PrivateKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Disconnect};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::sshd::{LATER, soon};

/// Fault of a test server at a command, after the probe with which every connection begins.
#[derive(Clone, Copy, PartialEq)]
enum ServerFault {
    NoStatus,
    Goodbye,
    StatusBeforeOutput,
    Mute,
}

struct Liar {
    fault: ServerFault,
    refusals: Arc<AtomicUsize>,
}

impl Handler for Liar {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let left = self.refusals.load(Ordering::SeqCst);
        if left > 0 {
            self.refusals.store(left - 1, Ordering::SeqCst);
            return Ok(Auth::reject());
        }
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(id)?;
        if String::from_utf8_lossy(data).contains("ami-bake-root") {
            session.data(id, b"noise of a start-up file\nami-bake-root 0\n".to_vec())?;
            session.exit_status_request(id, 0)?;
            return session.close(id);
        }
        session.data(id, b"first\n".to_vec())?;
        match self.fault {
            ServerFault::NoStatus => session.close(id)?,
            ServerFault::Goodbye => session.disconnect(Disconnect::ByApplication, "going \u{1b}[1mdown", "en")?,
            ServerFault::StatusBeforeOutput => {
                session.exit_status_request(id, 3)?;
                session.eof(id)?;
                let handle = session.handle();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    let _ = handle.extended_data(id, 1, b"late\n".to_vec()).await;
                    let _ = handle.close(id).await;
                });
            }
            ServerFault::Mute => {}
        }
        Ok(())
    }
}

/// A server with a fault, as a target.
async fn liar(fault: ServerFault, refusals: usize) -> Target {
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), russh::keys::Algorithm::Ed25519).unwrap();
    let public = PublicKey::parse(&key.public_key().to_openssh().unwrap()).unwrap();
    let config = Arc::new(russh::server::Config {
        keys: vec![key],
        auth_rejection_time: Duration::from_millis(10),
        ..Default::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let refusals = Arc::new(AtomicUsize::new(refusals));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handler = Liar { fault, refusals: Arc::clone(&refusals) };
            if let Ok(running) = russh::server::run_stream(Arc::clone(&config), stream, handler).await {
                tokio::spawn(running);
            }
        }
    });
    let mut target =
        Target::new("127.0.0.1", "root", Key::generate(KeyType::Ed25519, "login").unwrap(), HostKey::Pinned(public));
    target.port = port;
    target
}

async fn outcome(fault: ServerFault) -> (Exit, Collect) {
    let ssh = Ssh::connect(liar(fault, 0).await, soon(LATER), CancellationToken::new()).await.unwrap();
    let mut output = Collect::default();
    let call = ssh.exec(Exec::new("anything"), &mut output);
    let exit = within_limit("it hangs", call).await.unwrap();
    (exit, output)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_without_a_status_is_a_loss() {
    let (exit, output) = outcome(ServerFault::NoStatus).await;
    assert!(matches!(&exit, Exit::Lost(reason) if reason.contains("without an exit status")), "{exit:?}");
    assert_eq!(output.stdout_text(), "first\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_in_the_middle_is_a_loss_with_its_words() {
    let (exit, output) = outcome(ServerFault::Goodbye).await;
    assert!(matches!(&exit, Exit::Lost(reason) if reason.contains("going down")), "{exit:?}");
    assert_eq!(output.stdout_text(), "first\n");
}

/// SSH does not fix the order of status, end of file and output; only the close of the channel ends a command.
#[tokio::test(flavor = "multi_thread")]
async fn output_after_the_status_is_not_lost() {
    let (exit, output) = outcome(ServerFault::StatusBeforeOutput).await;
    assert_eq!(exit, Exit::Status(3));
    assert_eq!((output.stdout_text().as_str(), output.stderr_text().as_str()), ("first\n", "late\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_react_can_be_timed_out_and_cancelled() {
    let cancel = CancellationToken::new();
    let ssh = Ssh::connect(liar(ServerFault::Mute, 0).await, soon(LATER), cancel.clone()).await.unwrap();
    let (result, ()) = tokio::join!(ssh.get("/etc/hosts", Box::new(tokio::io::sink())), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel();
    });
    assert_eq!(result.unwrap_err().kind(), ami_bake_core::ErrorKind::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_refused_six_times_and_then_accepted() {
    let target = liar(ServerFault::NoStatus, 6).await;
    Ssh::connect(target, soon(LATER), CancellationToken::new()).await.unwrap();
}

/// A port that accepts and sends nothing: each attempt has a time limit, and the error reports what was seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target =
        Target::new("127.0.0.1", "root", Key::generate(KeyType::Ed25519, "login").unwrap(), HostKey::AcceptNew);
    target.port = listener.local_addr().unwrap().port();
    target.timing.handshake = Duration::from_millis(500);
    let error = Ssh::connect(target, soon(2), CancellationToken::new()).await.unwrap_err();
    assert!(error.message().contains("no SSH server answered"), "{error}");
    drop(listener);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_something_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target =
        Target::new("127.0.0.1", "root", Key::generate(KeyType::Ed25519, "login").unwrap(), HostKey::AcceptNew);
    target.port = listener.local_addr().unwrap().port();
    target.timing.handshake = Duration::from_millis(500);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = Ssh::connect(target, soon(2), CancellationToken::new()).await.unwrap_err();
    assert!(error.message().contains("over SSH within 2s"), "{error}");
    assert!(error.help_text().is_some());
}
