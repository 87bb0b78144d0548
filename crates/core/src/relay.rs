//! TCP connections through a relay process on the machine, where there is no other way: containers on another host, SSH
//! servers without port forwarding.

use std::time::Duration;

use crate::output::sanitize;
use crate::shell::quote;

/// Time limit of one connection attempt.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The byte that the relay sends once it is connected (ASCII ACK).
pub const CONNECTED: u8 = 6;
/// The relay's message when the machine has none of its tools.
const NO_TOOLS: &str = "the image has no python3, perl or bash";

/// A POSIX script with host and port as `$1` and `$2`: after [`CONNECTED`], its standard streams are the connection's.
/// It uses Python, Perl or bash, whichever is installed; messages are in English.
pub const RELAY: &str = r#"
export LC_ALL=C
if command -v python3 >/dev/null 2>&1; then
  exec python3 -c '
import os, socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
s.settimeout(None)
out = sys.stdout.buffer
out.write(b"\x06"); out.flush()
def up():
    while True:
        data = os.read(0, 65536)
        if not data:
            break
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while True:
    data = s.recv(65536)
    if not data:
        break
    out.write(data); out.flush()
' "$1" "$2"
elif command -v perl >/dev/null 2>&1; then
  exec perl -e '
use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Proto => "tcp", Timeout => 10) or die "$@\n";
sub pass { my ($from, $to) = @_; my $data; while (sysread($from, $data, 65536)) {
  my $at = 0; while ($at < length $data) { my $n = syswrite($to, $data, length($data) - $at, $at); return unless $n; $at += $n } } }
syswrite(STDOUT, "\x06");
my $child = fork;
if (!$child) { pass(\*STDIN, $s); shutdown($s, 1); exit 0 }
pass($s, \*STDOUT);
kill "KILL", $child;
' "$1" "$2"
elif command -v bash >/dev/null 2>&1 && command -v cat >/dev/null 2>&1; then
  exec bash -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1; printf "\006"; cat <&0 >&3 & cat <&3; kill $! 2>/dev/null' bash "$1" "$2" <&0
fi
echo "the image has no python3, perl or bash" >&2
exit 127
"#;

/// The relay as one command line.
pub fn command(host: &str, port: u16) -> String {
    format!("set -- {} {port}\n{RELAY}", quote(host))
}

/// Maximum bytes of the relay's standard error that are kept: the reason is short, but a machine may print without end.
const KEPT: usize = 16 << 10;

/// The standard error of a relay.
#[derive(Debug, Default)]
pub struct RelayErrors(Vec<u8>);

impl RelayErrors {
    /// Keeps what the relay printed, up to a limit.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes.iter().take(KEPT - self.0.len()));
    }

    /// The last line, which says why the relay did not connect, without terminal control sequences.
    pub fn last(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        sanitize(last.unwrap_or("no answer").trim())
    }
}

/// The reason in the last line of the relay's standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing listens on the port.
    Closed,
    /// The machine has none of the relay's tools.
    NoTools,
    /// Another reason, which says nothing about the port.
    Other,
}

/// Classifies the relay's last line by the kernel's messages for ECONNREFUSED, ETIMEDOUT and missing routes.
pub fn refusal(last: &str) -> Refusal {
    let text = last.to_lowercase();
    if last.contains(NO_TOOLS) {
        Refusal::NoTools
    } else if ["connection refused", "timed out", "unreachable", "no route to host"]
        .iter()
        .any(|one| text.contains(one))
    {
        Refusal::Closed
    } else {
        Refusal::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_prints_without_end_gives_a_bounded_reason() {
        let mut errors = RelayErrors::default();
        assert_eq!(errors.last(), "no answer");
        errors.push(b"first\n\x1b[31mConnection refused\x1b[0m\n\n");
        assert_eq!(errors.last(), "Connection refused");
        for _ in 0..1000 {
            errors.push(&[b'x'; 1000]);
        }
        assert_eq!((errors.0.len(), errors.0.capacity() < 4 * KEPT), (KEPT, true));
    }

    #[test]
    fn a_closed_port_is_told_from_a_failure_to_look() {
        for (last, expected) in [
            ("ConnectionRefusedError: [Errno 111] Connection refused", Refusal::Closed),
            ("TimeoutError: timed out", Refusal::Closed),
            ("IO::Socket::INET: connect: Connection refused", Refusal::Closed),
            ("bash: connect: No route to host", Refusal::Closed),
            ("socket.gaierror: [Errno -2] Name or service not known", Refusal::Other),
            ("PermissionError: [Errno 13] Permission denied", Refusal::Other),
            ("the image has no python3, perl or bash", Refusal::NoTools),
            ("", Refusal::Other),
        ] {
            assert_eq!(refusal(last), expected, "{last}");
        }
    }
}
