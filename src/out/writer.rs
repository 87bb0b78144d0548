//! Writers for the two standard streams.

use std::fs::File;
use std::io::{IsTerminal as _, Write};
use std::os::fd::AsFd as _;

use serde_json::Value;

use super::clean::Cleaner;
use super::json::{escaped, json_text};

/// Standard output or standard error.
#[derive(Clone)]
enum Stream {
    Stdout,
    Stderr,
    #[cfg(test)]
    Screen(std::sync::Arc<std::sync::Mutex<Vec<u8>>>),
}

/// Writes cleaned text to a stream. A reader that is gone is not an error.
#[derive(Clone)]
pub(crate) struct Out {
    stream: Stream,
    cleaner: Cleaner,
    colours: bool,
}

impl Out {
    /// Standard output, for data.
    pub(crate) fn stdout(cleaner: Cleaner, colours: bool) -> Self {
        Self { stream: Stream::Stdout, cleaner, colours }
    }

    /// Standard error, for text for people.
    pub(crate) fn stderr(cleaner: Cleaner, colours: bool) -> Self {
        Self { stream: Stream::Stderr, cleaner, colours }
    }

    /// A writer into memory, for tests.
    #[cfg(test)]
    pub(crate) fn screen(cleaner: Cleaner, colours: bool, screen: &std::sync::Arc<std::sync::Mutex<Vec<u8>>>) -> Self {
        Self { stream: Stream::Screen(std::sync::Arc::clone(screen)), cleaner, colours }
    }

    /// Writes text, and returns how many of its lines were changed because the reader of the stream would have executed
    /// them. Text that goes to a file is not changed.
    pub(crate) fn text(&self, text: &str) -> usize {
        let clean = self.render(text);
        let (text, changed) = if self.is_file() { (clean, 0) } else { self.cleaner.obeyed_by_nobody(clean) };
        self.write(&text);
        changed
    }

    /// Cleans text for callers that draw on the terminal themselves.
    pub(crate) fn render(&self, text: &str) -> String {
        self.cleaner.clean(text, self.colours)
    }

    /// Writes data as JSON.
    pub(crate) fn json(&self, value: &Value, one_line: bool) {
        self.write(&json_text(value, &self.cleaner.masker, one_line));
    }

    /// Writes a line of JSON whose secrets are already masked, such as an event.
    pub(crate) fn json_line(&self, line: &str) {
        self.write(&(escaped(line) + "\n"));
    }

    /// Writes a command for the reader of the stream. Foreign text in it must be escaped.
    #[allow(dead_code, reason = "a build without the feature `github` does not use it")]
    pub(crate) fn command(&self, command: &str) {
        self.write(&format!("{command}\n"));
    }

    /// True if the stream is a file: a runner only reads pipes.
    fn is_file(&self) -> bool {
        let descriptor = match self.stream {
            Stream::Stdout => stdout().as_fd().try_clone_to_owned(),
            Stream::Stderr => stderr().as_fd().try_clone_to_owned(),
            #[cfg(test)]
            Stream::Screen(_) => return false,
        };
        descriptor.and_then(|owned| File::from(owned).metadata()).is_ok_and(|metadata| metadata.is_file())
    }

    fn write(&self, text: &str) {
        fn all(mut to: impl Write, text: &str) {
            let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
        }
        match &self.stream {
            Stream::Stdout => all(stdout().lock(), text),
            Stream::Stderr => all(stderr().lock(), text),
            #[cfg(test)]
            Stream::Screen(screen) => {
                if let Ok(mut screen) = screen.lock() {
                    screen.extend_from_slice(text.as_bytes());
                }
            }
        }
    }
}

/// Standard output for the log of an action, which writes commands and cleans everything else by the same rules.
#[allow(dead_code, reason = "a build without the feature `github` does not use it")]
pub(crate) fn commands() -> Box<dyn Write + Send> {
    Box::new(stdout())
}

/// Standard error for the log of a step whose standard output is data.
#[allow(dead_code, reason = "a build without the feature `github` does not use it")]
pub(crate) fn commands_on_stderr() -> Box<dyn Write + Send> {
    Box::new(stderr())
}

/// Whether standard output and standard error are terminals.
pub(crate) fn are_terminals() -> (bool, bool) {
    (stdout().is_terminal(), stderr().is_terminal())
}

#[expect(clippy::disallowed_methods, reason = "the one place")]
fn stdout() -> std::io::Stdout {
    std::io::stdout()
}

#[expect(clippy::disallowed_methods, reason = "the one place")]
fn stderr() -> std::io::Stderr {
    std::io::stderr()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use ami_bake_core::mask::Masker;

    use super::*;
    use crate::ui::Paint;

    fn shown(text: &str, colours: bool, rule: Option<super::super::LineRule>) -> (String, usize) {
        let (masker, screen) = (Arc::new(Masker::default()), Arc::default());
        masker.add("hunter22");
        let out = Out::screen(Cleaner { masker, rule }, colours, &screen);
        let changed = out.text(text);
        let screen: Arc<Mutex<Vec<u8>>> = screen;
        let bytes = screen.lock().unwrap().clone();
        (String::from_utf8(bytes).unwrap(), changed)
    }

    #[test]
    fn foreign_escape_sequences_go_and_own_colours_stay() {
        let name = "\u{1b}[31mweb\u{1b}[0m\u{1b}]0;title\u{7}\u{9b}2J\u{202e}";
        let text = format!("{} is {name}: hunter22\rx\n", Paint { on: true }.bold(name));
        assert_eq!(shown(&text, true, None).0, "\u{1b}[1mweb2J\u{1b}[0m is web2J: ***x\n");
        assert_eq!(shown(&text, false, None).0, "web2J is web2J: ***x\n");
        // A text that guesses the mark of another process has no effect.
        assert!(!shown("\u{100001}\u{100002}31mx\n", true, None).0.contains('\u{1b}'));
    }

    #[test]
    fn each_line_follows_the_rule_and_ends() {
        let rule: super::super::LineRule = |line| line.replace("::", ": :");
        assert_eq!(shown("a::b\n::c", false, Some(rule)), ("a: :b\n: :c\n".to_owned(), 2));
        assert_eq!(shown("a\r::b hunter\n22", false, Some(rule)), ("a: :b hunter\n22\n".to_owned(), 1));
    }
}
