//! A stream that records its first bytes, for the error about a response that is not HTTP: hyper does not report them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use ami_bake_core::communicator::Duplex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Number of bytes that are kept: as many as a message shows, and some more for multi-byte characters.
const KEPT: usize = 240;

/// The first bytes of a stream.
#[derive(Debug, Clone, Default)]
pub(super) struct First(Arc<Mutex<Vec<u8>>>);

impl First {
    /// The first bytes that were read.
    pub(super) fn get(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A stream that records its first bytes.
pub(super) struct FirstBytes {
    inner: Box<dyn Duplex>,
    first: First,
}

impl FirstBytes {
    /// Wraps a stream; returns it with the handle to its first bytes.
    pub(super) fn new(inner: Box<dyn Duplex>) -> (Self, First) {
        let first = First::default();
        (Self { inner, first: first.clone() }, first)
    }
}

impl AsyncRead for FirstBytes {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let mut first = self.first.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.len() < KEPT {
            let new = &buffer.filled()[before..];
            let room = KEPT - first.len();
            first.extend_from_slice(&new[..new.len().min(room)]);
        }
        read
    }
}

impl AsyncWrite for FirstBytes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
