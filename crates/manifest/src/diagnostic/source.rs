//! The source files of a manifest, and spans in them.

use std::ops::Range;
use std::sync::Arc;

/// The index of a file in [`Sources`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u16);

/// A range of bytes in one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file of the span.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The range as indices.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A line and a column; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

#[derive(Debug)]
struct File {
    name: String,
    text: String,
    lines: Vec<u32>,
    /// True if lines of the file are never shown.
    private: bool,
}

/// All source files: the manifest, variable files, component documents, playbooks.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Arc<File>>,
    generated: Option<Arc<GeneratedFile>>,
}

/// A file that a program wrote, with the origins of its parts.
#[derive(Debug)]
struct GeneratedFile {
    file: FileId,
    /// Ranges of the file, each with the span of another file that it comes from; they may be nested.
    parts: Vec<(Range<u32>, Span)>,
}

impl Sources {
    /// Adds a file. `name` is used in messages.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.file(name.into(), text.into(), false)
    }

    /// Adds a file with private content, such as values of variables: findings show its line and column, but never its
    /// text.
    pub fn add_private(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.file(name.into(), text.into(), true)
    }

    /// Whether the text of a file is never shown.
    pub fn is_private(&self, file: FileId) -> bool {
        self.files.get(usize::from(file.0)).is_some_and(|file| file.private)
    }

    /// Makes the file of this name private.
    pub fn make_private(&mut self, name: &str) {
        for file in self.files.iter_mut().filter(|file| file.name == name) {
            let File { name, text, lines, .. } = &**file;
            *file = Arc::new(File { name: name.clone(), text: text.clone(), lines: lines.clone(), private: true });
        }
    }

    fn file(&mut self, name: String, text: String, private: bool) -> FileId {
        let mut lines = vec![0];
        lines.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .filter_map(|(at, _)| u32::try_from(at + 1).ok()),
        );
        let id = FileId(u16::try_from(self.files.len()).unwrap_or(u16::MAX));
        self.files.push(Arc::new(File { name, text, lines, private }));
        id
    }

    /// Sets the origins of the parts of a generated file.
    pub fn set_origins(&mut self, file: FileId, parts: Vec<(Range<u32>, Span)>) {
        self.generated = Some(Arc::new(GeneratedFile { file, parts }));
    }

    /// The span that a person wrote: for a part of a generated file its origin, otherwise the span itself.
    pub fn origin(&self, span: Span) -> Span {
        let Some(generated) = self.generated.as_ref().filter(|generated| generated.file == span.file) else {
            return span;
        };
        let around = generated.parts.iter().filter(|(part, _)| part.start <= span.start && span.start < part.end);
        around.min_by_key(|(part, _)| part.end - part.start).map_or(span, |(_, origin)| *origin)
    }

    /// The file with this name.
    pub fn find(&self, name: &str) -> Option<FileId> {
        let at = self.files.iter().position(|file| file.name == name)?;
        u16::try_from(at).ok().map(FileId)
    }

    /// The span of a line, without surrounding whitespace; `None` if there is no such line.
    pub fn line(&self, file: FileId, line: usize) -> Option<Span> {
        let lines = &self.files.get(usize::from(file.0))?.lines;
        let start = *lines.get(line.checked_sub(1)?)?;
        let text = self.text(file).get(start as usize..)?.lines().next()?;
        let blanks = u32::try_from(text.len() - text.trim_start().len()).ok()?;
        let length = u32::try_from(text.trim().len()).ok().filter(|length| *length > 0)?;
        Some(Span { file, start: start + blanks, end: start + blanks + length })
    }

    /// The name of a file.
    pub fn name(&self, file: FileId) -> &str {
        self.files.get(usize::from(file.0)).map_or("", |file| &file.name)
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(usize::from(file.0)).map_or("", |file| &file.text)
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.range()).unwrap_or("")
    }

    /// Line and column of a byte.
    pub fn position(&self, file: FileId, offset: u32) -> Position {
        let Some(file) = self.files.get(usize::from(file.0)) else {
            return Position { line: 1, column: 1 };
        };
        let line = file.lines.partition_point(|start| *start <= offset).max(1);
        let start = file.lines.get(line - 1).copied().unwrap_or(0) as usize;
        let column = file.text.get(start..offset as usize).map_or(0, |before| before.chars().count()) + 1;
        Position { line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("bake.yml", "a: 1\nü: 2\n");
        assert_eq!(sources.origin(Span { file, start: 1, end: 2 }), Span { file, start: 1, end: 2 });
        assert_eq!(sources.position(file, 0), Position { line: 1, column: 1 });
        assert_eq!(sources.position(file, 5), Position { line: 2, column: 1 });
        assert_eq!(sources.position(file, 7), Position { line: 2, column: 2 });
        assert_eq!(sources.slice(Span { file, start: 5, end: 7 }), "ü");
    }
}
