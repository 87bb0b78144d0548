//! A stream that remembers how it began, for the message about an answer that is not HTTP: hyper does not say.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use ami_bake_core::communicator::Duplex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// As many bytes as a message shows, and some more for characters of several bytes.
const KEPT: usize = 240;

/// What a stream began with.
#[derive(Debug, Clone, Default)]
pub(super) struct First(Arc<Mutex<Vec<u8>>>);

impl First {
    /// The first bytes that were read.
    pub(super) fn get(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A stream that keeps its first bytes.
pub(super) struct FirstBytes {
    inner: Box<dyn Duplex>,
    first: First,
}

impl FirstBytes {
    /// The stream, and where its first bytes are found.
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
