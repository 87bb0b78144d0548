//! The communicator: one machine, its current connection, and the way back to it.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::output::{Collect, OutputSink};
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use async_trait::async_trait;
use russh::Channel;
use russh::client::Msg;
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::exec::{self, Output};
use crate::key::PublicKey;
use crate::progress::prefixed;
use crate::pump::Feed;
use crate::session::{Closed, Session};
use crate::target::{HostKey, Target};
use crate::{connect, transfer};

/// A channel for one command, with the right to use one.
type Place = (Option<OwnedSemaphorePermit>, Channel<Msg>);

/// sshd frees the place of a command a moment after its end.
const FULL: Duration = Duration::from_secs(3);

/// The pause before a place is asked for again.
const AGAIN: Duration = Duration::from_millis(100);

/// A machine that is reached over SSH.
///
/// Every call ends at once, with [`Error::cancelled`], when the token given at the start fires. A call that finds the
/// connection lost tries to get it back first, for [`Timing::reconnect`](crate::Timing).
pub struct Ssh {
    /// What to connect to; host keys are pinned once they were seen.
    target: std::sync::Mutex<Target>,
    session: Mutex<Arc<Session>>,
    cancel: CancellationToken,
}

impl Ssh {
    /// Connects, trying until `deadline`: the port may not answer yet, and the login key may not be installed yet.
    ///
    /// # Errors
    /// A wrong host key at once; anything else when the deadline has passed, with what was seen last.
    pub async fn connect(target: Target, deadline: Instant, cancel: CancellationToken) -> Result<Self> {
        let session = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::cancelled()),
            session = connect::connect(&target, deadline) => session?,
        };
        let ssh = Self { target: std::sync::Mutex::new(target), session: Mutex::new(Arc::clone(&session)), cancel };
        ssh.pin(&session);
        Ok(ssh)
    }

    /// Leaves the present connection, whatever its state, and connects anew; for a machine that was restarted.
    /// The first answer may still come from the system that goes down: compare [`Self::boot_id`].
    ///
    /// # Errors
    /// As for [`Self::connect`].
    pub async fn reconnect(&self, deadline: Instant) -> Result<()> {
        self.guard(async {
            let mut current = self.session.lock().await;
            current.close().await;
            *current = self.establish(deadline).await?;
            Ok(())
        })
        .await
    }

    /// The machine's boot id, which is another one after every start (`/proc/sys/kernel/random/boot_id`).
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn boot_id(&self) -> Result<String> {
        let mut output = Collect::default();
        let exit = self.exec(Exec::new("cat /proc/sys/kernel/random/boot_id"), &mut output).await?;
        let id = output.stdout_text().trim().to_owned();
        if exit.success() && !id.is_empty() {
            return Ok(id);
        }
        Err(Error::build(format!("read the machine's boot id: {exit:?} {}", output.stderr_text().trim())))
    }

    /// Resolves when the present connection has ended; at once when it has already.
    pub async fn closed(&self) {
        let session = Arc::clone(&*self.session.lock().await);
        session.seen.closed.cancelled().await;
    }

    /// Ends the connection politely. A later call connects again.
    pub async fn close(&self) {
        let session = Arc::clone(&*self.session.lock().await);
        session.close().await;
    }

    /// The host key that answered: with [`HostKey::AcceptNew`] the one that was accepted, for the run's record.
    pub fn host_key(&self) -> Option<PublicKey> {
        match self.target().host_key {
            HostKey::Pinned(key) => Some(key),
            HostKey::Fingerprint(_) | HostKey::AcceptNew => None,
        }
    }

    /// Writes the first login key to a new file with mode 0600, for a person who looks into a failed bake.
    ///
    /// # Errors
    /// When the file exists or can't be written, or when there is no key.
    pub fn write_key(&self, path: &Path) -> Result<()> {
        let target = self.target();
        let key = target.keys.first().ok_or_else(|| Error::internal("there is no login key to write"))?;
        key.write(path)
    }

    /// What a person types to log in with the key at `key`; the host key is pinned in it too.
    pub fn ssh_line(&self, key: &Path) -> String {
        let target = self.target();
        let mut words = vec!["ssh".to_owned(), "-i".to_owned(), quote(&key.to_string_lossy())];
        words.extend(["-o", "IdentitiesOnly=yes"].map(str::to_owned));
        if let HostKey::Pinned(host) = &target.host_key {
            // No known_hosts entry for an address that somebody else has tomorrow.
            let line = host.line();
            let line = line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
            words.extend(
                ["-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o"].map(str::to_owned),
            );
            words.push(quote(&format!("KnownHostsCommand=/bin/echo * {line}")));
        }
        if let Some(jump) = &target.jump {
            words.push("-J".to_owned());
            words.push(quote(&format!("{}@{}:{}", jump.user, jump.host, jump.port)));
        }
        if target.port != 22 {
            words.extend(["-p".to_owned(), target.port.to_string()]);
        }
        words.push(quote(&format!("{}@{}", target.user, target.address)));
        words.join(" ")
    }

    fn target(&self) -> Target {
        self.target.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// From now on only the keys that answered are accepted.
    fn pin(&self, session: &Session) {
        let mut target = self.target.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(key) = session.seen.host_key() {
            target.host_key = HostKey::Pinned(key);
        }
        let beyond = session.jump.as_ref().and_then(|jump| jump.seen.host_key());
        if let (Some(jump), Some(key)) = (&mut target.jump, beyond) {
            jump.host_key = HostKey::Pinned(key);
        }
    }

    async fn establish(&self, deadline: Instant) -> Result<Arc<Session>> {
        let session = connect::connect(&self.target(), deadline).await?;
        self.pin(&session);
        Ok(session)
    }

    /// The present connection, or a new one when it was lost.
    async fn session(&self) -> Result<Arc<Session>> {
        let mut current = self.session.lock().await;
        if current.is_closed() {
            let deadline = Instant::now() + self.target().timing.reconnect;
            let what = format!("get the lost connection back ({})", current.seen.end());
            *current = self.establish(deadline).await.map_err(|error| prefixed(&what, &error))?;
        }
        Ok(Arc::clone(&current))
    }

    /// A session and what `open` makes of it. Where the loss is noticed only here, nothing was started yet, and the
    /// second try is safe.
    async fn opened<T, F>(&self, what: &str, open: impl Fn(Arc<Session>) -> F) -> Result<(Arc<Session>, T)>
    where
        F: Future<Output = Result<T, Closed>>,
    {
        let session = self.session().await?;
        match open(Arc::clone(&session)).await {
            Ok(opened) => Ok((session, opened)),
            Err(Closed::Lost(_)) => {
                let session = self.session().await?;
                let opened = open(Arc::clone(&session)).await.map_err(|closed| closed.into_error(what))?;
                Ok((session, opened))
            }
            Err(refused) => Err(refused.into_error(what)),
        }
    }

    /// A channel for one command, as soon as the server has a place for it.
    async fn command_channel(&self, what: &str) -> Result<(Arc<Session>, Place)> {
        let open = |session: Arc<Session>| async move {
            let slot = session.slot().await?;
            let begun = Instant::now();
            loop {
                match session.command_channel().await {
                    // Hardened servers allow fewer (`MaxSessions`): wait for the others' end.
                    Err(Closed::Refused(_)) if session.busy() || begun.elapsed() < FULL => sleep(AGAIN).await,
                    answer => return Ok((Some(slot), answer?)),
                }
            }
        };
        self.opened(what, open).await
    }

    /// Runs `work` until it ends or the run is cancelled.
    async fn guard<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            result = work => result,
        }
    }
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh").field("target", &self.target()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Communicator for Ssh {
    async fn exec(&self, exec: Exec<'_>, output: &mut dyn OutputSink) -> Result<Exit> {
        self.guard(async {
            let (session, place) = self.command_channel("start a command").await?;
            let mut feed = Feed::plain(exec.stdin);
            exec::run(&session, place, exec.command, &mut feed, exec.timeout, &mut Output::Sink(output)).await
        })
        .await
    }

    async fn put(&self, archive: Reader<'_>, to: &str) -> Result<()> {
        self.guard(async {
            let what = format!("upload to {to}");
            let (session, place) = self.command_channel(&what).await?;
            let mut feed = Feed::plain(archive);
            let mut gzip = session.wants_gzip();
            if gzip {
                let sample = feed.peek(transfer::SAMPLE).await;
                let sample =
                    sample.map_err(|error| Error::build(format!("{what}: read the archive")).because(error))?;
                gzip = transfer::shrinks(sample);
            }
            if gzip {
                feed.compress();
            }
            let mut output = Output::Archive { writer: Box::new(tokio::io::sink()), errors: Vec::new() };
            let command = transfer::unpack(to, gzip);
            let exit = exec::run(&session, place, &command, &mut feed, None, &mut output).await?;
            transfer::judge(&what, exit, output.errors())
        })
        .await
    }

    async fn get(&self, from: &str, archive: Writer<'_>) -> Result<()> {
        self.guard(async {
            let what = format!("download {from}");
            let (session, place) = self.command_channel(&what).await?;
            let mut output = Output::Archive { writer: archive, errors: Vec::new() };
            let mut feed = Feed::plain(Box::new(tokio::io::empty()));
            let exit = exec::run(&session, place, &transfer::pack(from), &mut feed, None, &mut output).await?;
            output.flush().await.map_err(|error| Error::build(format!("{what}: write the archive")).because(error))?;
            transfer::judge(&what, exit, output.errors())
        })
        .await
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Box<dyn Duplex>> {
        self.guard(async {
            let what = format!("connect to {host}:{port} from inside the machine");
            let open = |session: Arc<Session>| async move { session.tunnel(host, port).await };
            let (_, tunnel) = self.opened(&what, open).await?;
            Ok(Box::new(tunnel) as Box<dyn Duplex>)
        })
        .await
    }
}
