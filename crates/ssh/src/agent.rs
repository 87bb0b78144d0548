//! Logs in with the keys of an SSH agent.

use std::path::Path;
use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, HashAlg, PublicKey};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::handler::Client;

/// Number of the agent's keys that are offered on a connection: sshd closes it at the sixth failure (`MaxAuthTries`), and
/// the bake's own keys come after them.
const KEYS: usize = 4;
/// Time limit for an answer of the agent. Some ask their user to confirm.
const ANSWER: Duration = Duration::from_secs(30);

/// Result of a login with an agent.
#[derive(Debug)]
pub(crate) enum AgentLogin {
    /// Logged in with one of its keys.
    Done,
    /// Why none of its keys worked, in a few words.
    Refused(String),
}

/// Offers the agent's keys in its order.
pub(crate) async fn log_in(socket: &Path, user: &str, handle: &mut Handle<Client>) -> AgentLogin {
    let refused = |why: &str| AgentLogin::Refused(format!("the SSH agent at {} {why}", socket.display()));
    let Ok(Ok(mut agent)) = timeout(ANSWER, AgentClient::<UnixStream>::connect_uds(socket)).await else {
        return refused("does not answer");
    };
    let Ok(Ok(identities)) = timeout(ANSWER, agent.request_identities()).await else {
        return refused("does not list its keys");
    };
    let keys: Vec<PublicKey> = identities
        .into_iter()
        .filter_map(|identity| match identity {
            AgentIdentity::PublicKey { key, .. } => Some(key),
            AgentIdentity::Certificate { .. } => None,
        })
        .collect();
    let count = keys.len();
    for key in keys.into_iter().take(KEYS) {
        let hash = matches!(key.algorithm(), Algorithm::Rsa { .. }).then_some(HashAlg::Sha512);
        let offered = Box::pin(handle.authenticate_publickey_with(user, key, hash, &mut agent));
        match timeout(ANSWER, offered).await {
            Ok(Ok(AuthResult::Success)) => return AgentLogin::Done,
            Ok(Ok(AuthResult::Failure { .. })) => {}
            Ok(Err(_)) | Err(_) => return refused("did not sign"),
        }
    }
    match count {
        0 => refused("has no keys"),
        1 => refused("has 1 key, which it does not accept"),
        2..=KEYS => refused(&format!("has {count} keys, none of which it accepts")),
        _ => refused(&format!("has {count} keys: it accepts none of the first {KEYS}")),
    }
}
