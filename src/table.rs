//! Tables for people: columns as wide as their widest cell, two spaces apart, without lines.

use crate::ui::{Paint, Painted};

/// The style of a cell.
pub(crate) type Look = for<'a> fn(Paint, &'a str) -> Painted<'a>;

/// One cell of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    look: Option<Look>,
}

impl Cell {
    /// A cell of plain text, reduced to one line: names come from manifests and clouds, and a line break in them could
    /// imitate our output.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text: String = text.into();
        let text = if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text };
        Self { text, look: None }
    }

    /// Sets the style.
    pub(crate) fn look(mut self, look: Look) -> Self {
        self.look = Some(look);
        self
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Formats a table; columns that are empty in every row are left out.
pub(crate) fn table(head: &[&str], rows: &[Vec<Cell>], paint: Paint) -> String {
    let used: Vec<usize> = (0..head.len())
        .filter(|column| rows.iter().any(|row| row.get(*column).is_some_and(|cell| !cell.text.is_empty())))
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = used.iter().map(|column| width(*column)).collect();
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = Cell>| {
        let mut text = String::new();
        for (position, (cell, width)) in cells.zip(&widths).enumerate() {
            // The last column is not padded, so that no line ends with spaces.
            let width = if position + 1 == widths.len() { 0 } else { *width };
            let gap = if position == 0 { "" } else { "  " };
            text.push_str(gap);
            match cell.look {
                Some(look) if !cell.text.is_empty() => {
                    text.push_str(&look(paint, &cell.text).to_string());
                    text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.text.chars().count())));
                }
                _ => text.push_str(&format!("{:<width$}", cell.text)),
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&mut used.iter().map(|column| Cell::new(head[*column]).look(Paint::dim)));
    for row in rows {
        line(&mut used.iter().map(|column| row.get(*column).cloned().unwrap_or_else(|| Cell::new(""))));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_empty_ones_go() {
        let rows = [
            vec![Cell::from("base"), Cell::from(""), Cell::from("0.1.0")],
            vec![Cell::from("web-arm64"), Cell::from(""), Cell::from("1.12.0")],
        ];
        let text = table(&["image", "region", "version"], &rows, Paint { on: false });
        assert_eq!(table(&["name"], &[vec![Cell::new("a\n\r::b")]], Paint { on: false }), "name\na  ::b\n");
        assert_eq!(text, "image      version\nbase       0.1.0\nweb-arm64  1.12.0\n");
    }
}
