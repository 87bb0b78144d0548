//! From an address to a session that runs commands as root.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::Duplex;
use ami_bake_core::{Error, Result};
use futures::future::BoxFuture;
use russh::client::{AuthResult, Handle};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg};
use tokio::io::BufReader;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::handler::{Client, Seen, end_of};
use crate::key::Key;
use crate::probe::{self, Unfit};
use crate::progress::{Obstacle, prefixed};
use crate::session::Session;
use crate::target::{HostKey, Jump, Target, Timing};
use crate::{config, dial};

/// sshd closes a connection at its sixth failure (`MaxAuthTries`); hardened images allow four.
const TRIES: usize = 4;

/// OpenSSH 9.8 and later punishes an address with 5 s for each connection that fails to log in, and locks it out from
/// 15 s on (`PerSourcePenalties`): from the third on, such connections are at least this far apart.
const PENALTY: Duration = Duration::from_secs(5);

/// cloud-init may write the sudo rule just after the key; later nothing changes any more.
const SUDO: Duration = Duration::from_secs(15);

/// A place to log in: the machine or the jump host before it.
struct Hop<'a> {
    host: &'a str,
    port: u16,
    user: &'a str,
    keys: &'a [Key],
    host_key: &'a HostKey,
    timing: &'a Timing,
    /// Commands must run as root there.
    root: bool,
}

/// What one try came to.
enum Try {
    Done(Arc<Session>),
    Again(Obstacle),
    Never(Error),
}

/// Logs in to the target, trying until `deadline`.
pub(crate) async fn connect(target: &Target, deadline: Instant) -> Result<Arc<Session>> {
    let jump = match &target.jump {
        Some(Jump { host, port, user, keys, host_key }) => {
            let hop = Hop { host, port: *port, user, keys, host_key, timing: &target.timing, root: false };
            Some(hop.reach(None, deadline).await.map_err(|error| prefixed("reach the jump host", &error))?)
        }
        None => None,
    };
    let Target { address: host, port, user, keys, host_key, timing, .. } = target;
    Hop { host, port: *port, user, keys, host_key, timing, root: true }.reach(jump, deadline).await
}

impl Hop<'_> {
    fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    async fn reach(&self, jump: Option<Arc<Session>>, deadline: Instant) -> Result<Arc<Session>> {
        let start = Instant::now();
        let mut last = None;
        let mut refusals = 0;
        let mut not_root: Option<Instant> = None;
        loop {
            let begun = Instant::now();
            match self.attempt(jump.as_ref(), refusals, deadline).await {
                Ok(Try::Done(session)) => return Ok(session),
                Ok(Try::Never(error)) => return Err(error),
                Ok(Try::Again(obstacle)) => last = Some(obstacle),
                Err(news) => {
                    let seen = news.or(last).unwrap_or(Obstacle::Silence);
                    return Err(seen.give_up(&self.place(), start.elapsed()));
                }
            }
            let Some(seen) = &last else { continue };
            tracing::debug!(place = self.place(), obstacle = ?seen, "not connected yet");
            let mut pause = self.timing.probe;
            if matches!(seen, Obstacle::Auth { .. }) {
                refusals += 1;
                if refusals > 2 {
                    pause = PENALTY.saturating_sub(begun.elapsed()).max(pause);
                }
            }
            if matches!(seen, Obstacle::Root { .. }) && not_root.get_or_insert(begun).elapsed() > SUDO {
                return Err(seen.give_up(&self.place(), start.elapsed()));
            }
            if Instant::now() + pause >= deadline {
                return Err(seen.give_up(&self.place(), start.elapsed()));
            }
            sleep(pause).await;
        }
    }

    /// One connection from TCP to login. The outer error means that time was up before anything answered.
    async fn attempt(
        &self,
        jump: Option<&Arc<Session>>,
        refusals: u32,
        deadline: Instant,
    ) -> Result<Try, Option<Obstacle>> {
        let stream: Box<dyn Duplex> = match jump {
            Some(jump) if jump.is_closed() => {
                let text = format!("the connection to the jump host was lost: {}", jump.seen.end());
                return Ok(Try::Never(Error::build(format!("connect to {} over SSH: {text}", self.place()))));
            }
            Some(jump) => Box::new(dial::through(jump, self.host, self.port, self.timing, deadline).await?),
            None => {
                let stream = dial::tcp(self.host, self.port, self.timing, deadline).await?;
                let _ = stream.set_nodelay(true);
                // Two reads a packet otherwise: length, then the rest.
                Box::new(BufReader::with_capacity(128 << 10, stream))
            }
        };
        let seen = Arc::new(Seen::default());
        let client = Client { expected: self.host_key.clone(), seen: Arc::clone(&seen) };
        let handshake = russh::client::connect_stream(config::client(self.host_key), stream, client);
        let mut handle = match timeout(self.timing.handshake, handshake).await {
            Ok(Ok(handle)) => handle,
            Ok(Err(error)) => return Ok(self.judge_handshake(&error, &seen)),
            Err(_) => {
                let text = format!(
                    "the port is open, but nothing spoke SSH there for {:.0} s",
                    self.timing.handshake.as_secs_f64()
                );
                return Ok(Try::Again(Obstacle::Handshake(text)));
            }
        };
        if let Err(obstacle) = self.log_in(&mut handle, &seen, refusals, deadline).await {
            return obstacle.map(Try::Again).ok_or(None);
        }
        let session = Arc::new(Session::new(handle, seen, self.user, jump.cloned()));
        if self.root {
            match probe::prove(&session).await {
                Ok(facts) => drop(session.facts.set(facts)),
                Err(Unfit::Lost(reason)) => {
                    return Ok(Try::Again(Obstacle::Handshake(format!("the login works, but then {reason}"))));
                }
                Err(Unfit::NotRoot(detail)) => {
                    session.close().await;
                    return Ok(Try::Again(Obstacle::Root { user: self.user.to_owned(), detail }));
                }
            }
        }
        Ok(Try::Done(session))
    }

    /// A wrong host key is definite; all else may pass while the machine boots.
    fn judge_handshake(&self, error: &russh::Error, seen: &Seen) -> Try {
        let place = self.place();
        let expected = self.host_key.expected();
        let stranger = match (error, seen.host_key()) {
            (_, Some(key)) if !self.host_key.accepts(&key) => {
                format!("{} {}", key.algorithm(), key.fingerprint())
            }
            (russh::Error::NoCommonAlgo { kind: russh::AlgorithmKind::Key, theirs, .. }, _) => {
                format!("one of the types {}", theirs.join(", "))
            }
            _ => return Try::Again(Obstacle::Handshake(end_of(error))),
        };
        Try::Never(
            Error::build(format!(
                "the machine at {place} answered with host key {stranger}, expected {expected}: somebody may be in \
                 between, or the address was reused"
            ))
            .help(
                "Nothing was sent to it. If the image brings its own host keys, write the right one as \
                 `host-key`; bake again otherwise.",
            ),
        )
    }

    /// Tries the keys until the server takes one. The key may not be there yet, so it is asked again on the same
    /// connection: sshd reads `authorized_keys` anew every time, and one connection costs one penalty at most.
    /// `Err(None)`: the deadline passed before the server said anything.
    async fn log_in(
        &self,
        handle: &mut Handle<Client>,
        seen: &Seen,
        refusals: u32,
        deadline: Instant,
    ) -> Result<(), Option<Obstacle>> {
        let refused = |detail: &str| {
            Some(Obstacle::Auth { user: self.user.to_owned(), banner: seen.banner(), detail: detail.to_owned() })
        };
        let pause = if refusals == 0 { self.timing.auth_pause } else { self.timing.auth_pause * 2 };
        let mut detail = "it takes none of the keys".to_owned();
        let mut answered = false;
        for round in 0..TRIES.div_ceil(self.keys.len().max(1)) {
            if round > 0 {
                sleep(pause).await;
            }
            for key in self.keys {
                let answer = timeout(self.timing.auth, offer(handle, self.user, key));
                match timeout_at(deadline, answer).await {
                    Err(_) => return Err(if answered { refused(&detail) } else { None }),
                    Ok(Err(_)) => return Err(refused("no answer to the login request")),
                    Ok(Ok(Err(error))) => return Err(refused(&end_of(&error))),
                    Ok(Ok(Ok(AuthResult::Success))) => return Ok(()),
                    Ok(Ok(Ok(AuthResult::Failure { partial_success: true, .. }))) => {
                        "it takes the key but wants a second factor".clone_into(&mut detail);
                    }
                    Ok(Ok(Ok(AuthResult::Failure { .. }))) => {}
                }
                answered = true;
                if handle.is_closed() {
                    return Err(refused(&format!("{detail} ({})", seen.end())));
                }
            }
        }
        Err(refused(&detail))
    }
}

fn offer<'a>(
    handle: &'a mut Handle<Client>,
    user: &'a str,
    key: &'a Key,
) -> BoxFuture<'a, Result<AuthResult, russh::Error>> {
    Box::pin(async move {
        let key = key.inner();
        // Only for RSA: the question waits up to a second for the server's list of signature algorithms.
        let hash = if key.algorithm().is_rsa() {
            handle.best_supported_rsa_hash().await?.flatten().or(Some(HashAlg::Sha512))
        } else {
            None
        };
        handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key, hash)).await
    })
}
