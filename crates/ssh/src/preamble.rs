//! Separates the output of a command from output before it.

use ami_bake_core::output::Stream;

/// Bytes before the begin of a command that are kept.
const LIMIT: usize = 64 << 10;

/// sshd runs commands through the login shell, and bash reads its start-up files even then. Their output would be taken for
/// the command's: an archive would begin with a greeting. So the command begins with a random line on both streams, and
/// everything before it is dropped. When the line never comes, as with a forced command or a failing sudo, what was held back
/// is the machine's error message.
pub(crate) struct Preamble {
    line: Vec<u8>,
    held: [Option<Vec<u8>>; 2],
}

impl Preamble {
    /// `id` is the command's own, and random.
    pub(crate) fn new(id: &str) -> Self {
        Self { line: format!("{id}\n").into_bytes(), held: [Some(Vec::new()), Some(Vec::new())] }
    }

    /// The command with its first lines in front.
    pub(crate) fn wrap(id: &str, command: &str) -> String {
        format!("echo {id}; echo {id} >&2; {command}")
    }

    /// What of these bytes is the command's.
    pub(crate) fn pass<'a>(&mut self, stream: Stream, bytes: &'a [u8]) -> &'a [u8] {
        let Some(held) = &mut self.held[stream as usize] else { return bytes };
        let before = held.len();
        held.extend_from_slice(bytes);
        if let Some(at) = held.windows(self.line.len()).position(|window| window == self.line) {
            // The line ends in the new bytes, or it would have been found before.
            let end = (at + self.line.len()).saturating_sub(before);
            self.held[stream as usize] = None;
            return &bytes[end.min(bytes.len())..];
        }
        if held.len() > LIMIT {
            held.drain(..held.len() - LIMIT);
        }
        &[]
    }

    /// What was held back on streams where the command never began.
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
