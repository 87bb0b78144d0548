//! The style of text: colors, and whether lines may be redrawn.

use clap::builder::styling::{AnsiColor, Style};

use crate::out::{Cleaner, Out, are_terminals, mark};

/// Whether and how text is colored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    /// False: no escape sequence is written. True: escape sequences are marked as this program's own, since foreign
    /// ones never reach a stream.
    pub(crate) on: bool,
}

impl Paint {
    const fn wrap(self, style: Style, text: &str) -> Painted<'_> {
        Painted { style: if self.on { Some(style) } else { None }, text }
    }

    /// Style of names.
    pub(crate) const fn bold(self, text: &str) -> Painted<'_> {
        self.wrap(Style::new().bold(), text)
    }

    /// Style of less important text: times, IDs, output of machines.
    pub(crate) const fn dim(self, text: &str) -> Painted<'_> {
        self.wrap(Style::new().dimmed(), text)
    }

    /// Style of success.
    pub(crate) fn good(self, text: &str) -> Painted<'_> {
        self.wrap(AnsiColor::Green.on_default(), text)
    }

    /// Style of failure.
    pub(crate) fn bad(self, text: &str) -> Painted<'_> {
        self.wrap(AnsiColor::Red.on_default().bold(), text)
    }

    /// Style of warnings and changes.
    pub(crate) fn odd(self, text: &str) -> Painted<'_> {
        self.wrap(AnsiColor::Yellow.on_default(), text)
    }

    /// Style of help.
    pub(crate) fn help(self, text: &str) -> Painted<'_> {
        self.wrap(AnsiColor::Cyan.on_default(), text)
    }
}

/// A text with a style. Its width counts only the text, not the escape sequences.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Painted<'a> {
    style: Option<Style>,
    text: &'a str,
}

impl std::fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.style {
            Some(style) => {
                f.write_str(&mark(&style.to_string()))?;
                f.pad(self.text)?;
                f.write_str(&mark(&format!("{style:#}")))
            }
            None => f.pad(self.text),
        }
    }
}

/// Capabilities of the two streams: data goes to standard output, everything else to standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    /// Colors on standard error.
    pub(crate) paint: Paint,
    /// Colors on standard output.
    pub(crate) paint_data: Paint,
    /// True when standard error is a terminal that may be redrawn.
    pub(crate) live: bool,
}

impl Ui {
    /// Inspects the streams, and `NO_COLOR` (no-color.org), `TERM` and `CI`.
    pub(crate) fn detect() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let plain = set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let (out, err) = are_terminals();
        Self {
            paint: Paint { on: err && !plain },
            paint_data: Paint { on: out && !plain },
            live: err && !plain && !set("CI"),
        }
    }

    /// Standard output with these colors.
    pub(crate) fn out(self, cleaner: Cleaner) -> Out {
        Out::stdout(cleaner, self.paint_data.on)
    }

    /// Standard error with these colors.
    pub(crate) fn err(self, cleaner: Cleaner) -> Out {
        Out::stderr(cleaner, self.paint.on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escapes_and_keeps_its_width() {
        let (plain, coloured) = (Paint { on: false }, Paint { on: true });
        assert_eq!(format!("{:<6}|", plain.bad("no")), "no    |");
        let marked = |sequence| mark(sequence);
        assert_eq!(
            format!("{:<6}|", coloured.bold("no")),
            format!("{}no    {}|", marked("\u{1b}[1m"), marked("\u{1b}[0m"))
        );
    }
}
