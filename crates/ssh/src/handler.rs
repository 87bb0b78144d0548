//! Callbacks of a connection: they record its host key, its banner and why it ended.

use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::output::sanitize;
use russh::client::{DisconnectReason, Handler, Session};
use russh::keys::PublicKeyOrCertificate;
use tokio_util::sync::CancellationToken;

use crate::key::{Key, PublicKey};
use crate::target::HostKey;

/// Characters of a banner that are kept for an error message.
const BANNER_LIMIT: usize = 300;

/// The state of one connection, shared between its task and its users.
#[derive(Default)]
pub(crate) struct ConnectionState {
    host_key: Mutex<Option<PublicKey>>,
    login: Mutex<Option<Key>>,
    banner: Mutex<Option<String>>,
    end: Mutex<Option<String>>,
    /// Fires when the connection has ended.
    pub(crate) closed: CancellationToken,
}

fn get<T: Clone>(cell: &Mutex<Option<T>>) -> Option<T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set<T>(cell: &Mutex<Option<T>>, value: T) {
    *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

impl ConnectionState {
    /// The host key of the server, trusted or not.
    pub(crate) fn host_key(&self) -> Option<PublicKey> {
        get(&self.host_key)
    }

    /// The login key that the server accepted.
    pub(crate) fn login(&self) -> Option<Key> {
        get(&self.login)
    }

    /// The server accepted this key.
    pub(crate) fn accepted(&self, key: &Key) {
        set(&self.login, key.clone());
    }

    /// The server's banner, made safe to print.
    pub(crate) fn banner(&self) -> Option<String> {
        get(&self.banner)
    }

    /// Why the connection ended, as a clause.
    pub(crate) fn end(&self) -> String {
        get(&self.end).unwrap_or_else(|| "the connection was closed".to_owned())
    }
}

/// The callbacks of one connection.
pub(crate) struct Client {
    pub(crate) expected: HostKey,
    pub(crate) state: Arc<ConnectionState>,
}

impl Drop for Client {
    /// Marks the connection as closed. Its task owns this value, so it is dropped when the task ends for any reason.
    fn drop(&mut self) {
        self.state.closed.cancel();
    }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let key = PublicKey(key.public_key());
        let trusted = self.expected.accepts(&key);
        set(&self.state.host_key, key);
        Ok(trusted)
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Self::Error> {
        let line = banner.split_whitespace().collect::<Vec<_>>().join(" ");
        set(&self.state.banner, sanitize(&line).chars().take(BANNER_LIMIT).collect());
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                set(&self.state.end, format!("the machine closed the connection: {}", sanitize(&info.message)));
                Ok(())
            }
            DisconnectReason::Error(error) => {
                set(&self.state.end, end_of(&error));
                Err(error)
            }
        }
    }
}

/// Why a connection ended, as a clause.
pub(crate) fn end_of(error: &russh::Error) -> String {
    match error {
        russh::Error::KeepaliveTimeout => "no answer from the machine for 1m".to_owned(),
        russh::Error::HUP | russh::Error::Disconnect => "the machine closed the connection".to_owned(),
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the machine closed the connection".to_owned()
        }
        russh::Error::IO(error) => format!("the connection broke: {error}"),
        error => format!("the connection failed: {error}"),
    }
}
