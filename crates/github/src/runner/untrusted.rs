//! Makes untrusted text safe to print where the runner looks for workflow commands.
//!
//! The runner reads both streams line by line (a lone CR also ends a line), and executes `::name::` at the beginning of
//! a line after white space, and `##[name]` anywhere in it (actions/runner, ActionCommand.cs). Its culture-sensitive
//! comparison ignores zero-width characters, so this module does, too.

use ami_bake_core::invisible::is_invisible;
use ami_bake_core::output::sanitize;

/// The lines of a text as the runner would split it, each without control characters and defused.
pub fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    let whole = (!text.is_empty()).then(|| text.strip_suffix('\n').unwrap_or(text));
    whole
        .into_iter()
        .flat_map(|text| text.split('\n'))
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
        .map(|line| defuse(&sanitize(line)))
}

/// Changes a line so that the runner finds no command in it: inserts a blank into each `##[`, and into a `::` at the
/// beginning.
pub fn defuse(line: &str) -> String {
    let mut safe = String::with_capacity(line.len() + 2);
    // The last two characters that have a width, and whether there was only white space before them.
    let (mut before, mut last, mut blank) = ('\0', '\0', true);
    for character in line.chars() {
        if is_ignorable(character) {
            safe.push(character);
            continue;
        }
        let opens = character == '[' && last == '#' && before == '#';
        let begins = character == ':' && last == ':' && blank;
        if opens || begins {
            safe.push(' ');
        }
        blank &= last == '\0' || last.is_whitespace();
        safe.push(character);
        (before, last) = (last, character);
    }
    safe
}

/// Whether a culture-sensitive comparison ignores a character: those without width, except white space.
fn is_ignorable(character: char) -> bool {
    is_invisible(character) && !character.is_whitespace()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ami_bake_core::output::{Line, LineSplitter};
    use ami_bake_testkit::runner::{HOSTILE, parse, read_lines};

    use super::*;

    /// Building blocks of attacks.
    const PARTS: &[&[u8]] = &[
        b"##[",
        b"##",
        b"#",
        b"[",
        b"]",
        b"::",
        b":",
        b"error",
        b"add-mask",
        b"stop-commands",
        b"set-output name=ami-id",
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\r\n",
        b"\x1b[31m",
        b"\x1b]0;x\x07",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xe2\x80\x8b",
        b"\xc2\xad",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\xc2\xa0",
        b"\xe3\x80\x80",
        b"\xe2\x80\xae",
        b"text",
        b"%0A",
        b"\x0b",
        b"\x0c",
        b"\xc2\x85",
        b"\x1b",
        b"\x9b",
    ];

    #[track_caller]
    fn is_harmless(printed: &str, from: &[u8]) {
        for line in read_lines(printed.as_bytes()) {
            assert!(parse(&line, &["token"]).is_none(), "{line:?} of {:?}", String::from_utf8_lossy(from));
            // The same for a reader that ignores these characters.
            let seen: String = line.chars().filter(|character| !is_ignorable(*character)).collect();
            assert!(parse(&seen, &["token"]).is_none(), "{seen:?} of {:?}", String::from_utf8_lossy(from));
        }
    }

    #[test]
    fn nothing_that_can_be_printed_is_a_command() {
        let mut dice = fastrand::Rng::with_seed(0x9e37_79b9_7f4a_7c15);
        for _ in 0..50_000 {
            let bytes: Vec<u8> =
                (0..=dice.usize(..9)).flat_map(|_| PARTS[dice.usize(..PARTS.len())]).copied().collect();
            // As this program's own text …
            let text = String::from_utf8_lossy(&bytes);
            is_harmless(&lines(&text).map(|line| line + "\n").collect::<String>(), &bytes);
            // … and as output of a machine, which arrives in pieces.
            let mut printed = String::new();
            let mut emit = |line: Line| {
                printed.push_str(&format!("{}\n", defuse(&line.text)));
                true
            };
            let mut splitter = LineSplitter::new(Arc::default());
            let middle = dice.usize(..bytes.len());
            splitter.feed(&bytes[..middle], &mut emit);
            splitter.feed(&bytes[middle..], &mut emit);
            splitter.finish(&mut emit);
            is_harmless(&printed, &bytes);
        }
    }

    #[test]
    fn the_corpus_of_hostile_output_is_harmless_and_stays_readable() {
        for case in HOSTILE {
            let text = String::from_utf8_lossy(case);
            is_harmless(&lines(&text).map(|line| line + "\n").collect::<String>(), case);
        }
        assert_eq!(defuse("x ##[error]no"), "x ## [error]no");
        assert_eq!(defuse("  ::error::no"), "  : :error::no");
        assert_eq!(defuse("ami_bake::plan a[1] #[test] 1::2"), "ami_bake::plan a[1] #[test] 1::2");
        assert_eq!(lines("a\r::b\r\nc\n").collect::<Vec<_>>(), ["a", ": :b", "c"]);
    }
}
