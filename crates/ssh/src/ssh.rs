//! The communicator: one machine and its current connection, which is reopened when it is lost.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ami_bake_core::communicator::{Communicator, DialError, Duplex, Exec, Exit, Reader, Writer};
use ami_bake_core::output::{Collect, OutputSink};
use ami_bake_core::relay::{self, Refusal};
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result};
use async_trait::async_trait;
use russh::client::Msg;
use russh::{Channel, ChannelOpenFailure};
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::command::{Privilege, as_login};
use crate::exec::{self, Output};
use crate::key::{Key, PublicKey};
use crate::progress::prefixed;
use crate::pump::Feed;
use crate::session::{ChannelError, Session};
use crate::target::{HostKey, Target};
use crate::tunnel::Tunnel;
use crate::{connect, root, transfer};

/// Advice for servers that refuse forwarding when no relay process can connect either.
const FORWARDING: &str = "The SSH server of the machine does not forward ports (AllowTcpForwarding). Install python3, perl or bash in the image, or look with a command: `expect: {command: …}`.";

/// A channel for one command, with the permit to use it.
type CommandChannel = (Option<OwnedSemaphorePermit>, Channel<Msg>);

/// Time limit for sshd to free the channel of a command that has ended.
const BUSY_LIMIT: Duration = Duration::from_secs(3);

/// Pause before another attempt to open a channel.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A machine that is reached over SSH.
///
/// Every call ends at once, with [`Error::cancelled`], when the cancellation token fires. A call that finds the connection
/// lost first tries to reconnect, for [`Timing::reconnect`](crate::Timing).
pub struct Ssh {
    /// The target; host keys are pinned after the first connection.
    target: std::sync::Mutex<Target>,
    session: Mutex<Arc<Session>>,
    /// The folder of the process on the machine that runs commands as root.
    keeper: String,
    /// The host key that answered and the login key that was accepted.
    keys: std::sync::Mutex<(Option<PublicKey>, Option<Key>)>,
    /// Whether the last connection to a port went through a process on the machine.
    relayed: AtomicBool,
    /// Whether the machine takes no new connection.
    sealed: AtomicBool,
    cancel: CancellationToken,
}

impl Ssh {
    /// Connects, trying until `deadline`: the port may not answer yet, and the login key may not be installed yet.
    ///
    /// # Errors
    /// A wrong host key at once; everything else when the deadline has passed, with the last obstacle.
    pub async fn connect(target: Target, deadline: Instant, cancel: CancellationToken) -> Result<Self> {
        let keeper = Privilege::new_keeper();
        let session = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::cancelled()),
            session = Box::pin(connect::connect(&target, &keeper, false, deadline)) => session?,
        };
        let ssh = Self {
            target: std::sync::Mutex::new(target),
            session: Mutex::new(Arc::clone(&session)),
            keeper,
            keys: std::sync::Mutex::default(),
            relayed: AtomicBool::new(false),
            sealed: AtomicBool::new(false),
            cancel,
        };
        ssh.pin(&session);
        Ok(ssh)
    }

    /// Closes the current connection in any state, and connects again, after a restart of the machine. The first answer may
    /// still come from the system that is shutting down: compare [`Self::boot_id`].
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

    /// The machine's boot id, which changes with every start (`/proc/sys/kernel/random/boot_id`).
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
        Err(Error::build(format!("could not read the machine's boot ID: {exit} {}", output.stderr_text().trim())))
    }

    /// Resolves when the current connection has ended.
    pub async fn closed(&self) {
        let session = Arc::clone(&*self.session.lock().await);
        session.state.closed.cancelled().await;
    }

    /// Makes this connection the last one: the machine no longer accepts the login, so that no call tries to connect again.
    pub fn seal(&self) {
        self.sealed.store(true, Ordering::Relaxed);
    }

    /// Whether the connection is open, as far as is known: a network that fails silently shows only in a call.
    pub async fn is_open(&self) -> bool {
        !self.session.lock().await.is_closed()
    }

    /// Ends the connection with a disconnect message. A later call connects again.
    pub async fn close(&self) {
        let session = Arc::clone(&*self.session.lock().await);
        if !session.is_closed() {
            root::end(&session).await;
        }
        session.close().await;
    }

    /// The user who logged in.
    pub fn user(&self) -> String {
        self.target().user
    }

    /// The host key that answered, for the run's record.
    pub fn host_key(&self) -> Option<PublicKey> {
        self.keys().0
    }

    fn keys(&self) -> (Option<PublicKey>, Option<Key>) {
        self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Writes the login key that was accepted to a new file with mode 0600, for a person who debugs a failed bake.
    ///
    /// # Errors
    /// When the file exists or can't be written.
    pub fn write_key(&self, path: &Path) -> Result<()> {
        let key = self.keys().1.ok_or_else(|| Error::internal("could not write the login key: there is none"))?;
        key.write(path)
    }

    /// The `ssh` command line with which a person logs in with the key at `key`; it pins the host key too.
    pub fn ssh_line(&self, key: &Path) -> String {
        let target = self.target();
        let mut words = vec!["ssh".to_owned(), "-i".to_owned(), quote(&key.to_string_lossy())];
        words.extend(["-o", "IdentitiesOnly=yes"].map(str::to_owned));
        if let Some(host) = self.host_key() {
            // Not in known_hosts: another machine may have the address tomorrow.
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

    /// Pins the host keys of the current connection.
    fn pin(&self, session: &Session) {
        let mut target = self.target.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // One of several known keys is as good as another: a step may forbid the type that answered.
        *self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            (session.state.host_key(), session.state.login());
        if let (Some(key), false) = (session.state.host_key(), matches!(target.host_key, HostKey::OneOf(_))) {
            target.host_key = HostKey::Pinned(key);
        }
        target.user.clone_from(&session.user);
        target.other_users.clear();
        let beyond = session.jump.as_ref().and_then(|jump| jump.state.host_key());
        if let (Some(jump), Some(key)) = (&mut target.jump, beyond) {
            jump.host_key = HostKey::Pinned(key);
        }
    }

    async fn establish(&self, deadline: Instant) -> Result<Arc<Session>> {
        // On the heap, because connecting is rare and its future is larger than all others here.
        let session = Box::pin(connect::connect(&self.target(), &self.keeper, true, deadline)).await?;
        self.pin(&session);
        Ok(session)
    }

    /// The current connection, or a new one when it was lost.
    async fn session(&self) -> Result<Arc<Session>> {
        let mut current = self.session.lock().await;
        if current.is_closed() {
            if self.sealed.load(Ordering::Relaxed) {
                return Err(Error::build(format!("the connection to the machine was lost: {}", current.state.end())));
            }
            let deadline = Instant::now() + self.target().timing.reconnect;
            let what = format!("reconnect to the machine ({})", current.state.end());
            *current = self.establish(deadline).await.map_err(|error| prefixed(&what, &error))?;
        }
        Ok(Arc::clone(&current))
    }

    /// A session and what `open` opens in it. If the connection turns out to be lost only now, nothing was started yet,
    /// so a retry is safe.
    async fn opened<T, F>(&self, what: &str, open: impl Fn(Arc<Session>) -> F) -> Result<(Arc<Session>, T)>
    where
        F: Future<Output = Result<T, ChannelError>>,
    {
        let session = self.session().await?;
        match open(Arc::clone(&session)).await {
            Ok(opened) => Ok((session, opened)),
            Err(ChannelError::Lost(_)) => {
                let session = self.session().await?;
                let opened = open(Arc::clone(&session)).await.map_err(|closed| closed.into_error(what))?;
                Ok((session, opened))
            }
            Err(refused) => Err(refused.into_error(what)),
        }
    }

    /// A channel for one command, as soon as the server allows one.
    async fn command_channel(&self, what: &str) -> Result<(Arc<Session>, CommandChannel)> {
        let open = |session: Arc<Session>| async move {
            let slot = session.slot().await?;
            let begun = Instant::now();
            loop {
                match session.command_channel().await {
                    // Hardened servers allow fewer sessions (`MaxSessions`): wait for other commands to end.
                    Err(ChannelError::Refused(_)) if session.busy() || begun.elapsed() < BUSY_LIMIT => {
                        sleep(RETRY_PAUSE).await;
                    }
                    answer => return Ok((Some(slot), answer?)),
                }
            }
        };
        self.opened(what, open).await
    }

    /// Opens a connection through a relay process on the machine.
    async fn relay(&self, what: &str, host: &str, port: u16) -> Result<Box<dyn Duplex>, DialError> {
        self.relayed.store(true, Ordering::Relaxed);
        let command = as_login(&relay::command(host, port));
        let opened = self.guard(async {
            let (session, (slot, channel)) = self.command_channel(what).await?;
            Ok(Tunnel::relayed(&session, channel, slot, &command).await)
        });
        opened.await?.map(|tunnel| Box::new(tunnel) as Box<dyn Duplex>).map_err(|why| {
            let failed = Error::build(format!("{what}: {why}"));
            match relay::refusal(&why) {
                Refusal::Closed => DialError::Closed(failed),
                Refusal::NoTools | Refusal::Other => DialError::Untried(failed.help(FORWARDING)),
            }
        })
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
            let (session, channel) = self.command_channel("start a command").await?;
            let mut feed = Feed::plain(exec.stdin);
            exec::run(&session, channel, exec.command, &mut feed, exec.timeout, &mut Output::Sink(output)).await
        })
        .await
    }

    async fn put(&self, archive: Reader<'_>, to: &str) -> Result<()> {
        self.guard(async {
            let what = format!("upload to {to}");
            let (session, channel) = self.command_channel(&what).await?;
            let mut feed = Feed::plain(archive);
            let mut gzip = transfer::is_far(session.facts.get());
            if gzip {
                let sample = feed.peek(transfer::SAMPLE).await;
                let sample = sample.map_err(|error| {
                    Error::build(format!("could not {what}: the archive could not be read")).because(error)
                })?;
                gzip = transfer::shrinks(sample);
            }
            if gzip {
                feed.compress();
            }
            let mut output = Output::Archive { writer: Box::new(tokio::io::sink()), errors: Vec::new() };
            let command = transfer::unpack(to, gzip);
            let exit = exec::run(&session, channel, &command, &mut feed, None, &mut output).await?;
            transfer::check_exit(&what, exit, output.errors())
        })
        .await
    }

    async fn get(&self, from: &str, archive: Writer<'_>) -> Result<()> {
        self.guard(async {
            let what = format!("download {from}");
            let (session, channel) = self.command_channel(&what).await?;
            let mut output = Output::Archive { writer: archive, errors: Vec::new() };
            let mut feed = Feed::plain(Box::new(tokio::io::empty()));
            let exit = exec::run(&session, channel, &transfer::pack(from), &mut feed, None, &mut output).await?;
            output.flush().await.map_err(|error| {
                Error::build(format!("could not {what}: the archive could not be written")).because(error)
            })?;
            transfer::check_exit(&what, exit, output.errors())
        })
        .await
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Box<dyn Duplex>, DialError> {
        let what = format!("connect to {host}:{port} from inside the machine");
        let opened = self.guard(async {
            let open = |session: Arc<Session>| async move {
                // A refusal of the server is final; only a lost connection is worth a retry.
                match Tunnel::open(&session, host, port).await {
                    Err(ChannelError::Refused(reason)) => Ok(Err(reason)),
                    answer => answer.map(Ok),
                }
            };
            Ok(self.opened(&what, open).await?.1)
        });
        match opened.await? {
            Ok(tunnel) => Ok(Box::new(tunnel)),
            Err(reason @ ChannelOpenFailure::ConnectFailed) => {
                Err(DialError::Closed(ChannelError::Refused(reason).into_error(&what)))
            }
            // `AllowTcpForwarding no` (sshd_config(5)): a process on the machine connects instead.
            Err(ChannelOpenFailure::AdministrativelyProhibited) => self.relay(&what, host, port).await,
            Err(reason) => Err(DialError::Untried(ChannelError::Refused(reason).into_error(&what))),
        }
    }

    fn detour(&self) -> Option<String> {
        let relayed = self.relayed.load(Ordering::Relaxed);
        relayed.then(|| "with a process on the machine: its SSH server does not forward ports".to_owned())
    }
}
