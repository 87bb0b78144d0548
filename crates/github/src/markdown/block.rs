//! Parts of a document, which can be shortened by whole lines.

use super::escape::fence_of;

/// Lines with an opening and a closing text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Name for the list of what was left out: "the packages of web".
    pub about: String,
    /// The text before the lines.
    pub open: String,
    /// The lines, each with its line feed. A cut removes the last ones, or with `keep_end` the first.
    pub lines: Vec<String>,
    /// The text after the lines.
    pub close: String,
    /// True when the end matters most, as in a log.
    pub keep_end: bool,
    /// The line that replaces removed ones; `{}` is their number. `None`: the block is left out as a whole.
    pub more: Option<String>,
}

impl Block {
    /// A block that is never cut.
    pub fn whole(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            open: text.into(),
            lines: Vec::new(),
            close: String::new(),
            keep_end: false,
            more: None,
        }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        format!("{}{}{}", self.open, self.lines.concat(), self.close)
    }

    /// Folds the block below a summary, which is HTML.
    #[must_use]
    pub fn folded(self, summary: &str) -> Self {
        let open = format!("<details><summary>{summary}</summary>\n\n{}", self.open);
        let close = format!("{}\n</details>\n\n", self.close.strip_prefix('\n').unwrap_or(&self.close));
        Self { open, close, ..self }
    }
}

/// A heading.
pub fn heading(about: &str, text: &str) -> Block {
    Block::whole(about, format!("### {text}\n\n"))
}

/// A table; columns in which every row is empty are left out. Cells are Markdown of one line.
pub fn table(about: impl Into<String>, head: &[&str], rows: &[Vec<String>]) -> Block {
    let used: Vec<usize> = (0..head.len())
        .filter(|column| rows.iter().any(|row| row.get(*column).is_some_and(|cell| !cell.is_empty())))
        .collect();
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let open = line(used.iter().map(|column| head[*column]).collect()) + &line(vec!["---"; used.len()]);
    let lines = rows
        .iter()
        .map(|row| line(used.iter().map(|column| row.get(*column).map_or("", String::as_str)).collect()))
        .collect();
    let more = Some("| … and {} more |\n".to_owned());
    Block { about: about.into(), open, lines, close: "\n".to_owned(), keep_end: false, more }
}

/// Lines of a machine, folded below a summary. `lines` must come from `Escape::fence`.
pub fn details(about: impl Into<String>, summary: &str, lines: &[String]) -> Block {
    fenced(about, lines).folded(summary)
}

/// Lines of a machine or a stranger in a fence that none of them can close. `lines` must come from `Escape::fence`.
pub fn fenced(about: impl Into<String>, lines: &[String]) -> Block {
    let fence = fence_of(lines);
    Block {
        about: about.into(),
        open: format!("{fence}text\n"),
        lines: lines.iter().map(|line| format!("{line}\n")).collect(),
        close: format!("{fence}\n"),
        keep_end: true,
        more: Some("… {} earlier lines\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_columns_are_left_out() {
        let rows = [vec!["web".to_owned(), String::new(), "ok".to_owned()], vec!["base".to_owned()]];
        let text = table("images", &["image", "region", "result"], &rows).text();
        assert_eq!(text, "| image | result |\n| --- | --- |\n| web | ok |\n| base |  |\n\n");
    }
}
