//! Connects to an address and logs in, retrying until commands run as root.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::communicator::Duplex;
use ami_bake_core::duration::human;
use ami_bake_core::{Error, Result};
use futures::future::BoxFuture;
use russh::client::{AuthResult, Handle};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg};
use tokio::io::BufReader;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::agent::{self, AgentLogin};
use crate::command::Privilege;
use crate::handler::{Client, ConnectionState, end_of};
use crate::key::{Key, KeyType};
use crate::probe::{self, ProbeError};
use crate::progress::{self, Obstacle, prefixed};
use crate::session::Session;
use crate::target::{HostKey, Jump, RootAccess, Target, Timing};
use crate::{config, dial};

/// Login attempts per connection: sshd closes a connection at its sixth failure (`MaxAuthTries`), hardened images at
/// the fourth.
const TRIES: usize = 4;

/// Pause between connections that fail to log in, from the third on. OpenSSH 9.8 and later punishes an address with 5 s
/// for each, and locks it out from 15 s on (`PerSourcePenalties`).
const PENALTY: Duration = Duration::from_secs(5);

/// Time limit for sudo to work: cloud-init may write the sudo rule shortly after the key.
const SUDO: Duration = Duration::from_secs(15);

/// A host to log in to: the machine, or the jump host in front of it.
struct Hop<'a> {
    host: &'a str,
    port: u16,
    /// Login users, tried in this order.
    users: Vec<&'a str>,
    /// Socket of an SSH agent, whose keys come first.
    agent: Option<&'a Path>,
    keys: &'a [Key],
    host_key: &'a HostKey,
    timing: &'a Timing,
    /// How commands become root's, where they must.
    root: Option<Root<'a>>,
}

/// How commands become root's on the machine.
struct Root<'a> {
    access: &'a RootAccess,
    /// The folder of the machine's keeper.
    keeper: &'a str,
    /// Whether the machine was connected to before.
    again: bool,
}

/// Result of one attempt to log in.
enum Attempt {
    /// Logged in.
    Done(Arc<Session>),
    /// Not possible yet; a later attempt may work.
    Retry(Obstacle),
    /// No later attempt can work.
    Failed(Error),
}

/// Logs in to the target, trying until `deadline`. `keeper` is the folder of the process there that runs commands as root;
/// `again` when the machine was connected to before.
pub(crate) async fn connect(target: &Target, keeper: &str, again: bool, deadline: Instant) -> Result<Arc<Session>> {
    let jump = match &target.jump {
        Some(Jump { host, port, user, agent, keys, host_key }) => {
            let timing = &target.timing;
            let agent = agent.as_deref();
            let hop = Hop { host, port: *port, users: vec![user], agent, keys, host_key, timing, root: None };
            Some(hop.reach(None, deadline).await.map_err(|error| prefixed("reach the jump host", &error))?)
        }
        None => None,
    };
    let Target { address: host, port, user, other_users, root: access, keys, host_key, timing, .. } = target;
    let users = std::iter::once(user).chain(other_users).map(String::as_str).collect();
    let root = Some(Root { access, keeper, again });
    Hop { host, port: *port, users, agent: None, keys, host_key, timing, root }.reach(jump, deadline).await
}

impl Hop<'_> {
    fn address(&self) -> String {
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
        let mut refused_users = 0;
        loop {
            let begun = Instant::now();
            // A server closes a connection on which another user is tried (sshd: "Change of username or service not allowed").
            let user = self.users.get(refused_users % self.users.len().max(1)).copied().unwrap_or("root");
            match self.attempt(user, jump.as_ref(), refusals, deadline).await {
                Ok(Attempt::Done(session)) => return Ok(session),
                Ok(Attempt::Failed(error)) => return Err(error),
                Ok(Attempt::Retry(obstacle)) => last = Some(obstacle),
                Err(newest) => {
                    let obstacle = newest.or(last).unwrap_or(Obstacle::Silence);
                    return Err(obstacle.give_up(&self.address(), start.elapsed()));
                }
            }
            let Some(obstacle) = &last else { continue };
            tracing::debug!(address = self.address(), ?obstacle, "not connected yet");
            let mut pause = self.timing.probe;
            if matches!(obstacle, Obstacle::Auth { .. }) {
                refusals += 1;
                if refusals > 2 {
                    pause = PENALTY.saturating_sub(begun.elapsed()).max(pause);
                }
            }
            if matches!(obstacle, Obstacle::Auth { .. } | Obstacle::Root { .. }) && self.users.len() > 1 {
                refused_users += 1;
                if refused_users % self.users.len() != 0 {
                    continue;
                }
            }
            if matches!(obstacle, Obstacle::Root { .. }) && not_root.get_or_insert(begun).elapsed() > SUDO {
                return Err(obstacle.give_up(&self.address(), start.elapsed()));
            }
            if Instant::now() + pause >= deadline {
                return Err(obstacle.give_up(&self.address(), start.elapsed()));
            }
            sleep(pause).await;
        }
    }

    /// Makes one attempt, from TCP to login. The outer error means that the deadline passed before anything answered.
    async fn attempt(
        &self,
        user: &str,
        jump: Option<&Arc<Session>>,
        refusals: u32,
        deadline: Instant,
    ) -> Result<Attempt, Option<Obstacle>> {
        let stream: Box<dyn Duplex> = match jump {
            Some(jump) if jump.is_closed() => {
                let text = format!("the connection to the jump host was lost: {}", jump.state.end());
                return Ok(Attempt::Failed(Error::build(format!(
                    "could not connect to {} over SSH: {text}",
                    self.address()
                ))));
            }
            Some(jump) => Box::new(dial::through(jump, self.host, self.port, self.timing, deadline).await?),
            None => {
                let stream = dial::tcp(self.host, self.port, self.timing, deadline).await?;
                let _ = stream.set_nodelay(true);
                // Without a buffer every packet takes two reads: its length, then the rest.
                Box::new(BufReader::with_capacity(128 << 10, stream))
            }
        };
        let state = Arc::new(ConnectionState::default());
        let client = Client { expected: self.host_key.clone(), state: Arc::clone(&state) };
        let handshake = russh::client::connect_stream(config::client(self.host_key), stream, client);
        let mut handle = match timeout(self.timing.handshake, handshake).await {
            Ok(Ok(handle)) => handle,
            Ok(Err(error)) => return Ok(self.handshake_error(&error, &state)),
            Err(_) => {
                let text =
                    format!("the port is open, but no SSH server answered within {}", human(self.timing.handshake));
                return Ok(Attempt::Retry(Obstacle::Handshake(text)));
            }
        };
        if let Err(obstacle) = self.log_in(user, &mut handle, &state, refusals, deadline).await {
            return obstacle.map(Attempt::Retry).ok_or(None);
        }
        let privilege =
            self.root.as_ref().map_or(Privilege::Root, |root| Privilege::of(user, root.access, root.keeper));
        let session = Arc::new(Session::new(handle, state, user, privilege, jump.cloned()));
        if let Some(root) = &self.root {
            match probe::become_root(&session, root.access, root.again).await {
                Ok(facts) => drop(session.facts.set(facts)),
                Err(ProbeError::Lost(reason)) => {
                    return Ok(Attempt::Retry(Obstacle::Handshake(format!("the login works, but then {reason}"))));
                }
                Err(ProbeError::NotRoot(detail)) => {
                    session.close().await;
                    return Ok(Attempt::Retry(Obstacle::Root { user: user.to_owned(), detail }));
                }
                Err(ProbeError::Refused(detail)) => {
                    session.close().await;
                    return Ok(Attempt::Failed(
                        Error::build(format!(
                            "could not become root at {}: user {user} is logged in, but {detail}",
                            self.address()
                        ))
                        .help("Check the password of `connect: {as: …}`: sudo and doas ask for the password of the login user, su for root's."),
                    ));
                }
            }
        }
        Ok(Attempt::Done(session))
    }

    /// A wrong host key and the lack of a common algorithm are final; all other errors can go away while the machine boots.
    fn handshake_error(&self, error: &russh::Error, state: &ConnectionState) -> Attempt {
        let address = self.address();
        let expected = self.host_key.expected();
        let unexpected = match (error, state.host_key()) {
            (_, Some(key)) if !self.host_key.accepts(&key) => {
                format!("{} {}", key.algorithm(), key.fingerprint())
            }
            (russh::Error::NoCommonAlgo { kind, ours, theirs }, _) => {
                return Attempt::Failed(progress::no_common_algorithm(&address, kind, ours, theirs, &expected));
            }
            _ => return Attempt::Retry(Obstacle::Handshake(end_of(error))),
        };
        Attempt::Failed(
            Error::build(format!(
                "the machine at {address} answered with host key {unexpected}, expected {expected}: somebody may be \
                 intercepting the connection, or the address was reused"
            ))
            .help(
                "Nothing was sent to it. If the image has its own host keys, set `host-key` to the right one; otherwise bake \
                 again.",
            ),
        )
    }

    /// Tries the keys until the server accepts one. A key may not be installed yet, so all are tried again on the same
    /// connection: sshd reads `authorized_keys` every time, and one connection costs one penalty at most. `Err(None)`:
    /// the deadline passed before the server answered.
    async fn log_in(
        &self,
        user: &str,
        handle: &mut Handle<Client>,
        state: &ConnectionState,
        refusals: u32,
        deadline: Instant,
    ) -> Result<(), Option<Obstacle>> {
        let refused = |detail: &str| {
            Some(Obstacle::Auth { user: user.to_owned(), banner: state.banner(), detail: detail.to_owned() })
        };
        let pause = if refusals == 0 { self.timing.auth_pause } else { self.timing.auth_pause * 2 };
        let types: Vec<String> = self.keys.iter().map(|key| key.public().algorithm()).collect();
        let mut detail = format!("it accepts none of the keys ({})", types.join(", "));
        if let Some(socket) = self.agent {
            match timeout_at(deadline, agent::log_in(socket, user, handle)).await {
                Err(_) => return Err(None),
                Ok(AgentLogin::Done) => return Ok(()),
                Ok(AgentLogin::Refused(why)) => detail = format!("{detail}; {why}"),
            }
            if handle.is_closed() {
                return Err(refused(&format!("{detail} ({})", state.end())));
            }
        }
        let mut answered = false;
        let signatures = signatures(self.keys);
        for round in 0..TRIES.div_ceil(signatures.len().max(1)) {
            if round > 0 {
                sleep(pause).await;
            }
            for (key, hash) in &signatures {
                let answer = timeout(self.timing.auth, offer(handle, user, key, *hash));
                match timeout_at(deadline, answer).await {
                    Err(_) => return Err(if answered { refused(&detail) } else { None }),
                    Ok(Err(_)) => return Err(refused("no answer to the login request")),
                    Ok(Ok(Err(error))) => return Err(refused(&end_of(&error))),
                    Ok(Ok(Ok(AuthResult::Success))) => {
                        state.accepted(key);
                        return Ok(());
                    }
                    Ok(Ok(Ok(AuthResult::Failure { partial_success: true, .. }))) => {
                        "it accepts the key but requires a second factor".clone_into(&mut detail);
                    }
                    Ok(Ok(Ok(AuthResult::Failure { .. }))) => {}
                }
                answered = true;
                if handle.is_closed() {
                    return Err(refused(&format!("{detail} ({})", state.end())));
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
    hash: Option<HashAlg>,
) -> BoxFuture<'a, Result<AuthResult, russh::Error>> {
    Box::pin(async move { handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key.inner(), hash)).await })
}

/// The keys with the hash functions of their signatures. sshd lists those that it knows (`server-sig-algs`, RFC 8308), not
/// those that it accepts (`PubkeyAcceptedAlgorithms`): RSA keys are offered with both.
fn signatures(keys: &[Key]) -> Vec<(&Key, Option<HashAlg>)> {
    let of = |key| match Key::public(key).kind() {
        Some(KeyType::Rsa) => vec![(key, Some(HashAlg::Sha512)), (key, Some(HashAlg::Sha256))],
        _ => vec![(key, None)],
    };
    keys.iter().flat_map(of).collect()
}
