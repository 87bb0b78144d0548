//! Copies the output of a local command from its pipes to a sink.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::sink::{OutputSink, Stream};

/// Bytes per read: the default size of a pipe.
const CHUNK: usize = 64 << 10;

/// Time without output after which the output of an ended command is complete. A background process that it left may
/// keep the pipes open, and is not waited for.
const QUIET: Duration = Duration::from_millis(100);

/// Maximum output that is still read after a command has ended: no pipe holds more (pipe(7),
/// `/proc/sys/fs/pipe-max-size`). A background process that prints without end is not read any further.
const UNREAD: usize = 1 << 20;

/// Copies the output of a command until the command and its output have ended. `ended` resolves when the command ends.
///
/// # Errors
/// When reading a pipe or waiting for the end fails.
pub async fn pump<T>(
    mut stdout: impl AsyncRead + Unpin,
    mut stderr: impl AsyncRead + Unpin,
    ended: impl Future<Output = io::Result<T>>,
    output: &mut dyn OutputSink,
) -> io::Result<T> {
    tokio::pin!(ended);
    let (mut from_stdout, mut from_stderr) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut out_open, mut err_open, mut end) = (true, true, None);
    let mut unread = UNREAD;
    loop {
        if let Some(value) = end.take_if(|_| unread == 0 || !(out_open || err_open)) {
            return Ok(value);
        }
        output.ready().await;
        let read = tokio::select! {
            read = stdout.read(&mut from_stdout), if out_open => {
                let length = read?;
                out_open = length > 0;
                output.write(Stream::Stdout, &from_stdout[..length]);
                length
            }
            read = stderr.read(&mut from_stderr), if err_open => {
                let length = read?;
                err_open = length > 0;
                output.write(Stream::Stderr, &from_stderr[..length]);
                length
            }
            value = &mut ended, if end.is_none() => {
                end = Some(value?);
                0
            }
            () = tokio::time::sleep(QUIET), if end.is_some() => {
                unread = 0;
                0
            }
        };
        if end.is_some() {
            unread = unread.saturating_sub(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Collect;

    #[tokio::test]
    async fn output_that_was_written_before_the_end_is_read() {
        let (mut writer, stdout) = tokio::io::duplex(UNREAD);
        let written = vec![b'x'; UNREAD - 1];
        tokio::io::AsyncWriteExt::write_all(&mut writer, &written).await.unwrap();
        let mut output = Collect::default();
        // The writer stays open, as with a background process.
        let value = pump(stdout, tokio::io::empty(), async { Ok(7) }, &mut output).await.unwrap();
        assert_eq!((value, output.stdout.len(), output.stderr.len()), (7, written.len(), 0));
        drop(writer);
    }

    #[tokio::test]
    async fn a_background_process_that_prints_without_end_is_left() {
        let mut output = Collect::default();
        let endless = || tokio::io::repeat(b'y');
        let value = pump(endless(), endless(), async { Ok(7) }, &mut output).await.unwrap();
        assert_eq!(value, 7);
        assert!(!output.stdout.is_empty() && !output.stderr.is_empty());
    }

    #[tokio::test]
    async fn the_end_of_a_command_is_waited_for() {
        let end = async {
            tokio::task::yield_now().await;
            Err::<(), _>(io::Error::other("no such process"))
        };
        let closed = tokio::io::empty();
        let error = pump(closed, tokio::io::empty(), end, &mut Collect::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "no such process");
    }
}
