//! The two streams of the program: data on standard output, everything for people on standard error.

use std::io::{IsTerminal, Write};

use clap::builder::styling::{AnsiColor, Style};

/// Whether and how text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    /// False: no escape sequence is ever written.
    pub(crate) on: bool,
}

impl Paint {
    const fn wrap(self, style: Style, text: &str) -> Painted<'_> {
        Painted { style: if self.on { Some(style) } else { None }, text }
    }

    /// What stands out: names.
    pub(crate) const fn bold(self, text: &str) -> Painted<'_> {
        self.wrap(Style::new().bold(), text)
    }

    /// What stands back: times, ids, a machine's own output.
    pub(crate) const fn dim(self, text: &str) -> Painted<'_> {
        self.wrap(Style::new().dimmed(), text)
    }

    /// Good ends.
    pub(crate) fn good(self, text: &str) -> Painted<'_> {
        self.wrap(AnsiColor::Green.on_default(), text)
    }

    /// Bad ends.
    pub(crate) fn bad(self, text: &str) -> Painted<'_> {
        self.wrap(AnsiColor::Red.on_default().bold(), text)
    }

    /// What is odd.
    pub(crate) fn odd(self, text: &str) -> Painted<'_> {
        self.wrap(AnsiColor::Yellow.on_default(), text)
    }

    /// What to do.
    pub(crate) fn help(self, text: &str) -> Painted<'_> {
        self.wrap(AnsiColor::Cyan.on_default(), text)
    }
}

/// A text in a style; honours a width, since the escape sequences stand outside of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Painted<'a> {
    style: Option<Style>,
    text: &'a str,
}

impl std::fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.style {
            Some(style) => {
                write!(f, "{style}")?;
                f.pad(self.text)?;
                write!(f, "{style:#}")
            }
            None => f.pad(self.text),
        }
    }
}

/// What the program may assume about where it writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    /// Colours on standard error.
    pub(crate) paint: Paint,
    /// Colours on standard output.
    pub(crate) paint_data: Paint,
    /// Standard error is a terminal that may be redrawn.
    pub(crate) live: bool,
}

impl Ui {
    /// Looks at the streams and at `NO_COLOR` (no-color.org), `TERM` and `CI`.
    pub(crate) fn detect() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let plain = set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        Self {
            paint: Paint { on: err && !plain },
            paint_data: Paint { on: out && !plain },
            live: err && !plain && !set("CI"),
        }
    }

    /// Writes data to standard output. A reader that went away is no error of ours.
    #[expect(clippy::unused_self, reason = "all output goes through the Ui")]
    pub(crate) fn data(self, text: &str) {
        #[cfg(feature = "github")]
        if let Some(action) = crate::action::current() {
            return action.log.say(text);
        }
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Writes text for people to standard error.
    #[expect(clippy::unused_self, reason = "all output goes through the Ui")]
    pub(crate) fn say(self, text: &str) {
        #[cfg(feature = "github")]
        if let Some(action) = crate::action::current() {
            return action.log.say(text);
        }
        #[cfg(feature = "github")]
        let text = &if in_workflow() { harmless(text) } else { text.to_owned() };
        let mut err = std::io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

/// True in a step of a workflow, whose runner listens to both streams.
#[cfg(feature = "github")]
pub(crate) fn in_workflow() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Text of which no line is a command to the runner.
#[cfg(feature = "github")]
fn harmless(text: &str) -> String {
    text.split_inclusive('\n').map(ami_bake_github::runner::defuse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escapes_and_keeps_its_width() {
        let (plain, coloured) = (Paint { on: false }, Paint { on: true });
        assert_eq!(format!("{:<6}|", plain.bad("no")), "no    |");
        assert_eq!(format!("{:<6}|", coloured.bold("no")), "\u{1b}[1mno    \u{1b}[0m|");
    }
}
