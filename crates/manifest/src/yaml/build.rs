//! Events of the parser to a tree.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span as YamlSpan};

use super::{Entry, Kind, Meaning, Node, Scalar, scalar, syntax};
use crate::diagnostic::{Diagnostic, FileId, Span};

/// A manifest that is larger was not written by hand (design: manifest, "What bad input gets").
const MAX_BYTES: usize = 1024 * 1024;
/// How deep collections may nest.
const MAX_DEPTH: usize = 64;
/// How many values all aliases together may add.
const ALIAS_BUDGET: usize = 20_000;

/// Reads one document; problems that don't stop the reading are added to `findings`. `None` when there is no tree to work with.
pub fn parse(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    let start = Span { file, start: 0, end: 0 };
    if text.len() > MAX_BYTES {
        let size = text.len() / 1024;
        findings.push(
            Diagnostic::error("too-large", start, format!("the file has {size} KiB, more than the limit of 1 MiB"))
                .help("Move scripts into files of their own and name them with `script`."),
        );
        return None;
    }
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        disallow_directives: true,
        emit_comments: false,
    };
    let mut builder = Builder {
        file,
        text,
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        budget: ALIAS_BUDGET,
        findings,
    };
    builder.document().unwrap_or_default()
}

/// The finding that ends the reading has been recorded.
struct Stop;

struct Builder<'a> {
    file: FileId,
    text: &'a str,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    budget: usize,
    findings: &'a mut Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, YamlSpan), Stop> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                self.findings.push(syntax::finding(self.file, self.text, &error));
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, YamlSpan::default())),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    let at = self.span(span);
                    self.error(
                        Diagnostic::error("many-documents", at, "a second document begins here")
                            .help("A manifest is one document: take the `---` out, or make two files."),
                    );
                    return Err(Stop);
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span)?),
            }
        }
        Ok(root)
    }

    fn node(&mut self, event: Event<'a>, span: YamlSpan) -> Result<Node, Stop> {
        let at = self.span(span);
        if let Some(tag) = event.tag() {
            let help = "Quote a value that has to be text; there is nothing else that a tag could mean here.";
            let shown = tag.original();
            let place = span.tag_span().map_or(at, |span| self.span(span));
            self.error(Diagnostic::error("tag", place, format!("the tag `{shown}` is not allowed")).help(help));
        }
        let anchor = event.anchor_id().filter(|id| *id != 0);
        let node = match event {
            Event::Alias(id) => return self.alias(id, at),
            Event::Scalar(text, style, ..) => {
                let meaning = if style == ScalarStyle::Plain { scalar::meaning(&text) } else { Meaning::Text };
                Node { span: at, kind: Kind::Scalar(Scalar { text: text.into_owned(), meaning }) }
            }
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => break self.span(end),
                        (event, span) => items.push(self.node(event, span)?),
                    }
                };
                Node { span: self.trimmed(at.start, end.end), kind: Kind::List(items) }
            }
            Event::MappingStart(..) => self.map(at)?,
            _ => {
                self.error(Diagnostic::error("syntax", at, "a value was expected here"));
                return Err(Stop);
            }
        };
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn map(&mut self, at: Span) -> Result<Node, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut merges = Vec::new();
        let end = loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break self.span(span);
            }
            let plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let key_node = self.node(event, span)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            let Some(key) = key_node.scalar().map(|scalar| scalar.text.clone()) else {
                self.error(Diagnostic::error(
                    "key",
                    key_node.span,
                    format!("a key has to be text, not {}", key_node.describe()),
                ));
                continue;
            };
            if plain && key == "<<" {
                merges.push(value);
                continue;
            }
            if let Some(first) = seen.get(&key) {
                let first = entries[*first].key_span;
                self.error(
                    Diagnostic::error("duplicate-key", key_node.span, format!("`{key}` stands here a second time"))
                        .related(first, "here it stood first")
                        .help("Keep one of the two; YAML would silently take one and drop the other."),
                );
                continue;
            }
            seen.insert(key.clone(), entries.len());
            entries.push(Entry { key, key_span: key_node.span, value });
        };
        for merge in merges {
            self.merge(&merge, &mut entries, &mut seen);
        }
        Ok(Node { span: self.trimmed(at.start, end.end), kind: Kind::Map(entries) })
    }

    /// `<<: *anchor`: the anchored map's entries below the map's own (YAML 1.1's merge key, which users know).
    fn merge(&mut self, merge: &Node, entries: &mut Vec<Entry>, seen: &mut HashMap<String, usize>) {
        let maps: Vec<&Node> = match &merge.kind {
            Kind::Map(_) => vec![merge],
            Kind::List(items) => items.iter().collect(),
            Kind::Scalar(_) => Vec::new(),
        };
        if maps.is_empty() || maps.iter().any(|map| !matches!(map.kind, Kind::Map(_))) {
            self.error(
                Diagnostic::error(
                    "merge",
                    merge.span,
                    format!("`<<` takes a map or a list of maps, not {}", merge.describe()),
                )
                .help("Write `<<: *name` with the anchor of a map."),
            );
            return;
        }
        for entry in maps.into_iter().flat_map(Node::entries) {
            if !seen.contains_key(&entry.key) {
                seen.insert(entry.key.clone(), entries.len());
                entries.push(entry.clone());
            }
        }
    }

    fn alias(&mut self, id: usize, at: Span) -> Result<Node, Stop> {
        let Some(node) = self.anchors.get(&id) else {
            self.error(
                Diagnostic::error("alias", at, "the alias stands inside of what it names")
                    .help("Take the alias out: a value can't hold itself."),
            );
            return Err(Stop);
        };
        let (size, depth) = (node.size(), node.depth());
        if size > self.budget || depth > MAX_DEPTH {
            self.error(
                Diagnostic::error(
                    "alias",
                    at,
                    "the aliases of this file stand for more values than a manifest may have",
                )
                .help("Use `defaults` for what all images share."),
            );
            return Err(Stop);
        }
        self.budget -= size;
        Ok(node.clone())
    }

    fn error(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    fn span(&self, span: YamlSpan) -> Span {
        let range = span.byte_range().unwrap_or(0..0);
        self.trimmed(to_u32(range.start), to_u32(range.end))
    }

    /// The parser ends block values where the next token begins; the place to show ends with the last character.
    fn trimmed(&self, start: u32, end: u32) -> Span {
        let text = self.text.get(start as usize..end as usize).unwrap_or("");
        let length = text.trim_end().len();
        Span { file: self.file, start, end: start + to_u32(length) }
    }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
