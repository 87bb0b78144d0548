//! A TCP connection inside the SSH connection (`direct-tcpip`, RFC 4254 7.2).

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use ami_bake_core::relay::{CONNECT_LIMIT, CONNECTED, RelayErrors};
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::session::{ChannelError, Session};

/// Bytes that are buffered in each direction.
const BUFFER: usize = 256 << 10;

/// Time limit for sending what was written before the tunnel was dropped.
const FLUSH: Duration = Duration::from_secs(10);

/// Errors of the relay, shared by its task and the caller that waits for it.
type Errors = Arc<Mutex<RelayErrors>>;

/// A byte stream to a port as seen from the machine. It keeps its connection alive.
///
/// A user that stops reading blocks, after some megabytes, everything that arrives on the same SSH connection: the SSH
/// library reopens the window of a channel by itself, so that one channel can't be slowed down alone.
pub(crate) struct Tunnel {
    stream: DuplexStream,
    _session: Arc<Session>,
    /// The permit to run the relay command.
    _slot: Option<OwnedSemaphorePermit>,
    _dropped: DropGuard,
}

impl Tunnel {
    /// Opens a TCP connection to `host:port` as seen from the machine.
    pub(crate) async fn open(session: &Arc<Session>, host: &str, port: u16) -> Result<Self, ChannelError> {
        let channel = session.tcp_channel(host, port).await?;
        let session = Arc::clone(session);
        let (stream, inner) = tokio::io::duplex(BUFFER);
        let dropped = CancellationToken::new();
        tokio::spawn(bridge(channel, inner, dropped.clone(), session.state.closed.clone(), Errors::default()));
        Ok(Self { stream, _session: session, _slot: None, _dropped: dropped.drop_guard() })
    }

    /// Opens a tunnel by running [`ami_bake_core::relay`] on the machine. The error is the last line that the relay
    /// printed.
    pub(crate) async fn relayed(
        session: &Arc<Session>,
        channel: Channel<Msg>,
        slot: Option<OwnedSemaphorePermit>,
        command: &str,
    ) -> Result<Self, String> {
        channel.exec(true, command).await.map_err(|error| error.to_string())?;
        let session = Arc::clone(session);
        let (mut stream, inner) = tokio::io::duplex(BUFFER);
        let (dropped, errors) = (CancellationToken::new(), Errors::default());
        tokio::spawn(bridge(channel, inner, dropped.clone(), session.state.closed.clone(), Arc::clone(&errors)));
        if let Ok(Ok(CONNECTED)) = timeout(CONNECT_LIMIT * 2, stream.read_u8()).await {
            return Ok(Self { stream, _session: session, _slot: slot, _dropped: dropped.drop_guard() });
        }
        dropped.cancel();
        Err(errors.lock().unwrap_or_else(PoisonError::into_inner).last())
    }
}

/// Copies bytes both ways until the channel closes or the user drops the tunnel.
async fn bridge(
    channel: Channel<Msg>,
    local: DuplexStream,
    dropped: CancellationToken,
    closed: CancellationToken,
    errors: Errors,
) {
    let (mut read, write) = channel.split();
    let (mut from_user, mut to_user) = tokio::io::split(local);
    let up = async {
        loop {
            let mut bytes = Vec::with_capacity(32 << 10);
            match from_user.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return write.eof().await.is_ok(),
                Ok(_) if write.data_bytes(bytes).await.is_err() => return false,
                Ok(_) => {}
            }
        }
    };
    let down = async {
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::Data { data } if to_user.write_all(&data).await.is_err() => break,
                ChannelMsg::ExtendedData { data, .. } => {
                    errors.lock().unwrap_or_else(PoisonError::into_inner).push(&data);
                }
                ChannelMsg::Eof => drop(to_user.shutdown().await),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
    };
    tokio::pin!(up);
    let mut sent = false;
    tokio::pin!(down);
    loop {
        tokio::select! {
            done = &mut up, if !sent => sent = done,
            () = &mut down => break,
            () = dropped.cancelled() => {
                // The user does not read any more, but everything written before must still be sent.
                if !sent {
                    let _ = timeout(FLUSH, up).await;
                }
                break;
            }
            () = closed.cancelled() => break,
        }
    }
    let _ = write.close().await;
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
