//! Messages of the plug-ins, and their framing: four bytes of length, big-endian, before each frame.

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Maximum length of a frame: messages are short, and a chunk of a file is 64 KiB.
const LONGEST: u32 = 4 << 20;

/// A message of a plug-in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Message {
    /// Run a command; its standard input follows in frames, up to an empty one.
    Exec {
        /// Command for a POSIX shell.
        command: String,
    },
    /// Restart the machine; answered when it is back.
    Restart {
        /// Time limit in seconds.
        timeout: u64,
    },
    /// Reconnect to the machine; answered when that is done.
    Recover,
    /// A task failed, and its play does not ignore it.
    Failed(FailedTask),
    /// The playbook ended.
    Ended {
        /// Number of machines on which something ran.
        hosts: usize,
    },
}

/// A task that failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct FailedTask {
    /// Name of the task, with its role's.
    pub(super) task: String,
    /// File and line; may be empty.
    pub(super) place: String,
    /// Module of the task.
    #[serde(default)]
    pub(super) action: String,
    /// The module's message; may be empty.
    pub(super) said: String,
    /// True when the machine was not reachable.
    pub(super) unreachable: bool,
}

/// Reads one frame; `None` at the end of the stream or for invalid data.
pub(super) async fn piece(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = from.read_u32().await.ok().filter(|length| *length <= LONGEST)?;
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    from.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

/// A frame of an answer: `o` output, `e` error output, `s` status, `l` lost.
pub(super) fn answer(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len() + 5);
    bytes.push(kind);
    bytes.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}
