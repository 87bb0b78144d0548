//! Where the values of a YAML document are in its text. The tree of a manifest can't say it: it has resolved aliases and
//! merge keys.

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle};

/// A document.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The value of the document; `None` for an empty one.
    pub(super) root: Option<Syntax>,
    /// Offset of the explicit start, `---`.
    pub(super) start: Option<usize>,
    /// IDs and offsets of anchors.
    pub(super) anchors: Vec<(usize, usize)>,
    /// IDs of the anchors that aliases refer to, and offsets of the aliases.
    pub(super) aliases: Vec<(usize, usize)>,
}

/// A value and its place. Offsets are bytes.
#[derive(Debug)]
pub(super) struct Syntax {
    /// Offset of its first character, without anchors.
    pub(super) start: usize,
    /// Offset after the last character of a leaf; that of `start` for a missing value.
    pub(super) end: usize,
    /// How it is written.
    pub(super) shape: Shape,
}

/// How a value is written.
#[derive(Debug)]
pub(super) enum Shape {
    /// In place: a plain or quoted scalar, an alias, or a flow collection.
    Leaf,
    /// A literal or folded scalar.
    Block,
    /// A mapping with one key per line.
    Map(Vec<Pair>),
    /// A sequence with one dash per item.
    List(Vec<Syntax>),
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Pair {
    /// The key.
    pub(super) name: String,
    /// Offset of the key.
    pub(super) key: usize,
    /// The value.
    pub(super) value: Syntax,
}

/// Reads a document that the tree's parser accepted.
pub(super) fn read(text: &str) -> Option<Document> {
    let options = granit_parser::options! { disallow_directives: true, emit_comments: false };
    let mut reader =
        Reader { text, parser: Parser::new_from_str_with_options(text, options), document: Document::default() };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Some(reader.document),
            Event::DocumentStart(true, _) => reader.document.start = Some(range(span).0),
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            event => reader.document.root = Some(reader.value(&event, span)?),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    document: Document,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        self.parser.next_event()?.ok()
    }

    fn value(&mut self, event: &Event<'a>, span: Span) -> Option<Syntax> {
        let (start, end) = range(span);
        if let Some(id) = event.anchor_id().filter(|id| *id != 0) {
            self.document.anchors.push((id, start));
        }
        let leaf = |end| Syntax { start, end, shape: Shape::Leaf };
        Some(match event {
            Event::Alias(id) => {
                self.document.aliases.push((*id, start));
                leaf(end)
            }
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                Syntax { start: header(self.text, start), end, shape: Shape::Block }
            }
            Event::Scalar(..) => leaf(end),
            Event::SequenceStart(style, ..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, last) if matches!(style, StructureStyle::Flow) => {
                            break leaf(range(last).1);
                        }
                        (Event::SequenceEnd, _) => break Syntax { start, end: start, shape: Shape::List(items) },
                        (event, span) => items.push(self.value(&event, span)?),
                    }
                }
            }
            Event::MappingStart(style, ..) => {
                let mut pairs = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, last) if matches!(style, StructureStyle::Flow) => {
                            break leaf(range(last).1);
                        }
                        (Event::MappingEnd, _) => break Syntax { start, end: start, shape: Shape::Map(pairs) },
                        (event, span) => {
                            let name = match &event {
                                Event::Scalar(text, ..) => text.to_string(),
                                _ => String::new(),
                            };
                            let key = self.value(&event, span)?.start;
                            let (event, span) = self.next()?;
                            pairs.push(Pair { name, key, value: self.value(&event, span)? });
                        }
                    }
                }
            }
            _ => return None,
        })
    }
}

fn range(span: Span) -> (usize, usize) {
    let range = span.byte_range().unwrap_or(0..0);
    (range.start, range.end)
}

/// An offset in the line with the indicators of a literal or folded scalar, `|` or `>`. The parser gives that of the
/// content, if there is any.
fn header(text: &str, start: usize) -> usize {
    let before = &text[..start];
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    if before[line..].trim().is_empty() { before.trim_end().len().saturating_sub(1) } else { start }
}
