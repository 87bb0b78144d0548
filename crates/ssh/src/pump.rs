//! Sends local bytes to a remote command's standard input.

use std::io::{self, Write};

use ami_bake_core::communicator::Reader;
use flate2::Compression;
use flate2::write::GzEncoder;
use russh::ChannelWriteHalf;
use russh::client::Msg;
use tokio::io::AsyncReadExt;

/// Bytes per read; they fill eight SSH packets.
const CHUNK: usize = 256 << 10;

/// Bytes to compress between two awaits: about a millisecond at level 1.
const GZIP_CHUNK: usize = 128 << 10;

/// The standard input of a command, plain or compressed.
pub(crate) struct Feed<'a> {
    reader: Reader<'a>,
    /// Bytes that were read ahead.
    head: Vec<u8>,
    gzip: Option<GzEncoder<Vec<u8>>>,
    done: bool,
}

impl<'a> Feed<'a> {
    pub(crate) fn plain(reader: Reader<'a>) -> Self {
        Self { reader, head: Vec::new(), gzip: None, done: false }
    }

    /// Reads up to `limit` bytes ahead and returns them.
    pub(crate) async fn peek(&mut self, limit: usize) -> io::Result<&[u8]> {
        while self.head.len() < limit {
            let room = u64::try_from(limit - self.head.len()).unwrap_or(u64::MAX);
            if (&mut self.reader).take(room).read_buf(&mut self.head).await? == 0 {
                break;
            }
        }
        Ok(&self.head)
    }

    /// Compresses everything that follows at gzip's fastest level.
    pub(crate) fn compress(&mut self) {
        self.gzip = Some(GzEncoder::new(Vec::with_capacity(GZIP_CHUNK), Compression::fast()));
    }

    /// The next bytes to send; `None` at the end.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if self.done {
                return Ok(None);
            }
            let mut bytes = std::mem::take(&mut self.head);
            if bytes.is_empty() {
                bytes.reserve_exact(if self.gzip.is_some() { GZIP_CHUNK } else { CHUNK });
                self.reader.read_buf(&mut bytes).await?;
            }
            let Some(gzip) = &mut self.gzip else {
                self.done = bytes.is_empty();
                return Ok((!self.done).then_some(bytes));
            };
            if bytes.is_empty() {
                self.done = true;
                return self.gzip.take().map(GzEncoder::finish).transpose();
            }
            gzip.write_all(&bytes)?;
            let squeezed = std::mem::replace(gzip.get_mut(), Vec::with_capacity(GZIP_CHUNK));
            if !squeezed.is_empty() {
                return Ok(Some(squeezed));
            }
        }
    }

    /// Sends everything and then end of file. A channel that is closed for input is not an error here: the reader of
    /// its output learns how the command ended.
    ///
    /// # Errors
    /// When the local bytes can't be read.
    pub(crate) async fn pour(&mut self, channel: &ChannelWriteHalf<Msg>) -> io::Result<()> {
        while let Some(bytes) = self.next().await? {
            if channel.data_bytes(bytes).await.is_err() {
                return Ok(());
            }
        }
        let _ = channel.eof().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    async fn all(feed: &mut Feed<'_>) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(bytes) = feed.next().await.unwrap() {
            all.extend(bytes);
        }
        all
    }

    #[tokio::test]
    async fn peeking_loses_nothing() {
        let data: Vec<u8> = (0..700_000u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut feed = Feed::plain(Box::new(&data[..]));
        assert_eq!(feed.peek(1000).await.unwrap(), &data[..1000]);
        assert_eq!(all(&mut feed).await, data);

        let mut feed = Feed::plain(Box::new(&data[..]));
        feed.peek(1000).await.unwrap();
        feed.compress();
        let squeezed = all(&mut feed).await;
        assert!(squeezed.len() < data.len() / 2);
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&squeezed[..]).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, data);
    }

    #[tokio::test]
    async fn nothing_is_nothing() {
        assert_eq!(all(&mut Feed::plain(Box::new(tokio::io::empty()))).await, b"");
    }
}
