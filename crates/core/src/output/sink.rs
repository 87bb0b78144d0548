//! Receivers of a command's raw output.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// One of a command's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both streams.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];
}

/// Receives raw output as it arrives.
///
/// A sink stores a bounded part of the output, whatever a machine prints.
#[async_trait]
pub trait OutputSink: Send {
    /// Receives the next bytes of one stream; chunk borders have no meaning.
    fn write(&mut self, stream: Stream, bytes: &[u8]);

    /// Waits until the sink has room for another chunk. Readers call this before they read on, so that the machine
    /// waits (full pipe, closed SSH window) instead of output piling up here.
    async fn ready(&mut self) {}
}

/// Keeps the beginning of both streams in memory, up to [`COLLECT_LIMIT`]; for commands whose output the program itself
/// parses.
#[derive(Debug, Default)]
pub struct Collect {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Maximum bytes that [`Collect`] keeps per stream. No output that the program parses is longer (the longest, a list of
/// all packages, has 2 MB).
const COLLECT_LIMIT: usize = 8 << 20;

impl OutputSink for Collect {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let buffer = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let free = COLLECT_LIMIT.saturating_sub(buffer.len());
        buffer.extend_from_slice(&bytes[..bytes.len().min(free)]);
    }
}

impl Collect {
    /// Standard output as text, invalid UTF-8 replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text, invalid UTF-8 replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}
