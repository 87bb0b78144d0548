//! Bridges between blocking archives and asynchronous streams. An error on the blocking side becomes an error on the
//! other side, since a stream that merely ends would look like a complete archive.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, DuplexStream, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Number of chunks that may be queued between the two sides.
const WAITING: usize = 8;

/// The asynchronous end of a blocking writer.
pub(crate) struct Chunks {
    receiver: Receiver<io::Result<Vec<u8>>>,
    current: io::Cursor<Vec<u8>>,
}

/// The blocking end of the writer.
pub(crate) struct ChunkWriter(Sender<io::Result<Vec<u8>>>);

impl Chunks {
    /// Creates both ends.
    pub(crate) fn pair() -> (ChunkWriter, Self) {
        let (sender, receiver) = channel(WAITING);
        (ChunkWriter(sender), Self { receiver, current: io::Cursor::new(Vec::new()) })
    }
}

impl ChunkWriter {
    /// Ends the stream with an error on the reader's side.
    pub(crate) fn fail(&self, error: &io::Error) {
        let _ = self.0.blocking_send(Err(io::Error::new(error.kind(), error.to_string())));
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the reader of the archive is gone");
        self.0.blocking_send(Ok(bytes.to_vec())).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Chunks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let read = Read::read(&mut self.current, buffer.initialize_unfilled())?;
            if read > 0 || buffer.remaining() == 0 {
                buffer.advance(read);
                return Poll::Ready(Ok(()));
            }
            match self.receiver.poll_recv(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(chunk)) => self.current = io::Cursor::new(chunk?),
            }
        }
    }
}

/// Reads an asynchronous stream from a blocking task.
pub(crate) struct BlockingReader {
    /// The stream.
    pub(crate) stream: DuplexStream,
    /// The runtime that drives it.
    pub(crate) runtime: Handle,
}

impl Read for BlockingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.runtime.block_on(self.stream.read(buffer))
    }
}
