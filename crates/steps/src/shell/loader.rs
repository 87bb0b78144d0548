//! The constant command that reads a program from standard input, so that no part of it is on a command line.

use tokio::io::AsyncReadExt as _;

use ami_bake_core::communicator::{Exec, Reader};

/// Reads standard input to its end into a new folder in memory, checks that it is complete (a lost connection looks
/// like an end of file, and half a script must not run), and runs its head.
///
/// The input's first line is `#HEAD TOTAL`: the lengths in bytes of the head, including this line, and of the whole
/// input. Works in dash, bash and busybox; constant, so that the process list shows nothing of the script.
pub(crate) const LOADER: &str = r#"umask 077; ami_bake=; for t in /dev/shm /run /tmp /var/tmp; do ami_bake=$(mktemp -d "$t/.ami-bake.XXXXXXXX" 2>/dev/null) && break; done; if [ -z "$ami_bake" ]; then echo "ami-bake: no writable temporary folder on this machine" >&2; exit 125; fi; trap "rm -rf \"$ami_bake\"" 0; trap "exit 129" 1 2 15; if cat >"$ami_bake/in" && read -r n t <"$ami_bake/in" && [ "$(($(wc -c <"$ami_bake/in")))" = "$t" ] && head -c "${n#?}" "$ami_bake/in" >"$ami_bake/head"; then . "$ami_bake/head"; else echo "ami-bake: the script was cut off in transfer" >&2; exit 125; fi"#;

/// Input of the loader: a head in POSIX shell, followed by bytes that the head finds at `ami_bake_start`.
pub(crate) struct Program<'a> {
    head: Vec<u8>,
    payload: Option<(Reader<'a>, u64)>,
}

impl<'a> Program<'a> {
    /// A head without payload: its text is deleted from the machine before it runs, and its standard input is empty.
    pub(crate) fn alone(text: &str) -> Self {
        let mut head = b"rm -rf \"$ami_bake\"; trap - 0 1 2 15; umask 022; exec </dev/null\n".to_vec();
        head.extend_from_slice(text.as_bytes());
        Self { head, payload: None }
    }

    /// A head that reads `bytes` from file descriptor 5, a file that is already deleted.
    pub(crate) fn fed(text: &str, bytes: &'a [u8]) -> Self {
        let mut head =
            b"tail -c \"+$ami_bake_start\" \"$ami_bake/in\" >\"$ami_bake/fed\" || exit 125\nexec 5<\"$ami_bake/fed\"\n"
                .to_vec();
        head.extend(Self::alone(text).head);
        Self { head, payload: Some((Box::new(bytes), bytes.len() as u64)) }
    }

    /// A head and a payload of exactly `size` bytes; otherwise the machine refuses to run it.
    pub(crate) fn with_payload(head: Vec<u8>, payload: Reader<'a>, size: u64) -> Self {
        Self { head, payload: Some((payload, size)) }
    }

    /// The loader command with this input.
    pub(crate) fn exec(self) -> Exec<'a> {
        let size = self.payload.as_ref().map_or(0, |(_, size)| *size);
        let bytes = assemble(&self.head, size);
        let head = std::io::Cursor::new(bytes);
        let stdin: Reader<'a> = match self.payload {
            Some((payload, _)) => Box::new(head.chain(payload)),
            None => Box::new(head),
        };
        Exec { command: LOADER, stdin, timeout: None }
    }
}

/// Prepends the line of lengths and the payload's start to the head. Both numbers have a fixed width, so that they do
/// not change the lengths.
fn assemble(head: &[u8], payload: u64) -> Vec<u8> {
    const LENGTHS: usize = 33;
    const START: usize = 28;
    let length = LENGTHS + START + head.len();
    let total = length as u64 + payload;
    // Padded with spaces: to some tools a leading zero means octal.
    let start = format!("ami_bake_start={}", length + 1);
    let mut bytes = format!("#{length:<10} {total:<20}\n{start:<width$}\n", width = START - 1).into_bytes();
    bytes.extend_from_slice(head);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_are_those_of_the_input() {
        for (head, payload) in [("", 0), ("echo\n", 7), (&*"x".repeat(100_000), u64::from(u32::MAX))] {
            let bytes = assemble(head.as_bytes(), payload);
            let text = String::from_utf8(bytes.clone()).unwrap();
            let mut words = text[1..].split_whitespace();
            assert_eq!(words.next().unwrap(), bytes.len().to_string());
            assert_eq!(words.next().unwrap(), (bytes.len() as u64 + payload).to_string());
            assert_eq!(words.next().unwrap(), format!("ami_bake_start={}", bytes.len() + 1));
        }
    }
}
