//! Separates the output of a command from the output of the login shell before it.

use ami_bake_core::output::Stream;

/// Maximum of bytes that are kept from before the begin of a command.
const LIMIT: usize = 64 << 10;

/// Drops the output before a command's own. sshd runs commands through the login shell, and bash reads its start-up
/// files even then: an archive would begin with a greeting. So the command first prints a random line on both streams,
/// and everything before it is dropped. If the line never comes (a forced command, a failing sudo), the held-back
/// output is the machine's error message.
pub(crate) struct Preamble {
    line: Vec<u8>,
    held: [Option<Vec<u8>>; 2],
}

impl Preamble {
    /// `id` is the random id of the command.
    pub(crate) fn new(id: &str) -> Self {
        Self { line: format!("{id}\n").into_bytes(), held: [Some(Vec::new()), Some(Vec::new())] }
    }

    /// The command, preceded by a command that prints the random line.
    pub(crate) fn wrap(id: &str, command: &str) -> String {
        format!("echo {id}; echo {id} >&2; {command}")
    }

    /// The part of these bytes that belongs to the command.
    pub(crate) fn pass<'a>(&mut self, stream: Stream, bytes: &'a [u8]) -> &'a [u8] {
        let Some(held) = &mut self.held[stream as usize] else { return bytes };
        let before = held.len();
        held.extend_from_slice(bytes);
        if let Some(at) = held.windows(self.line.len()).position(|window| window == self.line) {
            // The line ends within the new bytes; otherwise it would have been found before.
            let end = (at + self.line.len()).saturating_sub(before);
            self.held[stream as usize] = None;
            return &bytes[end.min(bytes.len())..];
        }
        if held.len() > LIMIT {
            held.drain(..held.len() - LIMIT);
        }
        &[]
    }

    /// The held-back output of streams on which the command never began.
    pub(crate) fn rest(self) -> impl Iterator<Item = (Stream, Vec<u8>)> {
        let [stdout, stderr] = self.held;
        [(Stream::Stdout, stdout), (Stream::Stderr, stderr)]
            .into_iter()
            .filter_map(|(stream, held)| Some((stream, held.filter(|held| !held.is_empty())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_what_came_before_wherever_the_chunks_break() {
        let all = b"greeting\nabc\nab\nabc\nrest";
        for cut in 0..all.len() {
            for second in cut..all.len() {
                let mut preamble = Preamble::new("abc");
                let mut seen = Vec::new();
                for chunk in [&all[..cut], &all[cut..second], &all[second..]] {
                    seen.extend_from_slice(preamble.pass(Stream::Stdout, chunk));
                }
                assert_eq!(seen, b"ab\nabc\nrest");
                assert_eq!(preamble.rest().count(), 0);
            }
        }
    }

    #[test]
    fn a_command_that_never_began_leaves_the_machines_words() {
        let mut preamble = Preamble::new("abc");
        assert_eq!(preamble.pass(Stream::Stderr, b"sudo: no"), b"");
        assert_eq!(preamble.pass(Stream::Stdout, &vec![b'x'; LIMIT * 2]), b"");
        let rest: Vec<_> = preamble.rest().collect();
        assert_eq!(rest[0].1.len(), LIMIT);
        assert_eq!(rest[1], (Stream::Stderr, b"sudo: no".to_vec()));
    }
}
