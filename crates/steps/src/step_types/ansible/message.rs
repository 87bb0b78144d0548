//! What the plug-ins say, and how it is framed: four bytes of length, big-endian, before each piece.

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest piece: a message is short, and a chunk of a file is 64 KiB.
const LONGEST: u32 = 4 << 20;

/// What a plug-in says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Message {
    /// Run a command; its standard input follows in pieces, up to an empty one.
    Exec {
        /// For a POSIX shell.
        command: String,
    },
    /// Restart the machine; answered when it is back.
    Restart {
        /// How long it may take, in seconds.
        timeout: u64,
    },
    /// Reconnect to the machine; answered when that is done.
    Recover,
    /// A task failed, and its play did not forgive it.
    Failed(FailedTask),
    /// The playbook is over.
    Ended {
        /// On how many machines something ran.
        hosts: usize,
    },
}

/// A task that failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct FailedTask {
    /// Its name, with its role's.
    pub(super) task: String,
    /// File and line; may be empty.
    pub(super) place: String,
    /// Module of the task.
    #[serde(default)]
    pub(super) action: String,
    /// The module's words; may be empty.
    pub(super) said: String,
    /// True when the machine was not reached.
    pub(super) unreachable: bool,
}

/// One piece; none at the end of the stream or after nonsense.
pub(super) async fn piece(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = from.read_u32().await.ok().filter(|length| *length <= LONGEST)?;
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    from.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

/// A piece of an answer: `o` output, `e` error output, `s` status, `l` lost.
pub(super) fn answer(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len() + 5);
    bytes.push(kind);
    bytes.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}
