//! Runs cells side by side, and formats the table of their results.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cell::Verdict;

/// A cell to run.
pub(super) struct Planned<'a> {
    /// The row: scenario and call.
    pub(super) row: String,
    /// The column: the fault.
    pub(super) column: String,
    pub(super) run: Box<dyn Fn() -> Verdict + Send + Sync + 'a>,
}

/// Results of cells, in their planned order.
pub(super) struct Table {
    cells: Vec<(String, String, Verdict)>,
}

impl Table {
    /// Runs the cells, at most this many at a time.
    #[expect(clippy::print_stderr, reason = "shows how far the table is")]
    pub(super) fn run(planned: &[Planned<'_>], at_a_time: usize) -> Self {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..at_a_time {
                scope.spawn(|| {
                    while let Some((index, cell)) = {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        planned.get(index).map(|cell| (index, cell))
                    } {
                        let verdict = (cell.run)();
                        let state = if verdict.complaints.is_empty() { "ok" } else { "BAD" };
                        eprintln!("{state:4} {} × {} {}", cell.row, cell.column, verdict.complaints.join("; "));
                        done.lock().unwrap().insert(index, verdict);
                    }
                });
            }
        });
        let done = done.into_inner().unwrap().into_iter();
        let cells = done.map(|(index, verdict)| (planned[index].row.clone(), planned[index].column.clone(), verdict));
        Self { cells: cells.collect() }
    }

    /// The table as Markdown: exit codes and numbers of complaints.
    pub(super) fn as_markdown(&self) -> String {
        let mut columns: Vec<&str> = Vec::new();
        let mut rows: Vec<&str> = Vec::new();
        for (row, column, _) in &self.cells {
            if !columns.contains(&column.as_str()) {
                columns.push(column);
            }
            if !rows.contains(&row.as_str()) {
                rows.push(row);
            }
        }
        let mut text = format!("| | {} |\n|---|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
        for row in rows {
            let cell = |column: &&str| {
                let found = self.cells.iter().find(|(of, with, _)| of == row && with == column);
                found.map_or_else(String::new, |(_, _, verdict)| {
                    let code = verdict.code.map_or_else(|| "ok".to_owned(), |code| code.to_string());
                    match verdict.complaints.len() {
                        0 => code,
                        count => format!("**{code}: {count} wrong**"),
                    }
                })
            };
            let _ = writeln!(text, "| {row} | {} |", columns.iter().map(cell).collect::<Vec<_>>().join(" | "));
        }
        let bad = self.bad().count();
        let _ = writeln!(text, "\n{} cells, {bad} wrong", self.cells.len());
        text
    }

    /// Each failed cell with its complaints and the end of its log.
    pub(super) fn findings(&self) -> String {
        let mut text = String::new();
        for (row, column, verdict) in self.bad() {
            let _ = writeln!(text, "\n## {row} × {column}\n");
            for complaint in &verdict.complaints {
                let _ = writeln!(text, "- {complaint}");
            }
            let lines: Vec<&str> = verdict.log.lines().collect();
            let tail = lines[lines.len().saturating_sub(40)..].join("\n");
            let _ = writeln!(text, "\n```\n{tail}\n```");
        }
        text
    }

    fn bad(&self) -> impl Iterator<Item = &(String, String, Verdict)> {
        self.cells.iter().filter(|(_, _, verdict)| !verdict.complaints.is_empty())
    }

    /// Asserts that all cells are good.
    ///
    /// # Panics
    /// When a cell failed, with all that did.
    pub(super) fn assert_good(&self) {
        assert!(self.bad().next().is_none(), "{}\n{}", self.as_markdown(), self.findings());
    }
}
