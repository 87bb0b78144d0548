//! Connects standard input and output to a socket.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

/// Copies in both directions until the socket's other side has ended.
///
/// # Errors
/// When the socket can't be connected to, or the connection breaks.
#[expect(clippy::disallowed_methods, reason = "the reader is QEMU")]
pub(super) fn relay(socket: &str) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    let mut to = stream.try_clone()?;
    std::thread::spawn(move || {
        let _ = copy(&mut io::stdin().lock(), &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    copy(&mut stream, &mut io::stdout().lock())
}

/// Copies without waiting for a full buffer.
fn copy(from: &mut impl io::Read, to: &mut impl io::Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                to.write_all(&buffer[..length])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
