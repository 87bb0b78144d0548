//! Parses YAML into a tree: one document, aliases under a budget, every error with its location.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span as YamlSpan};

use super::{Entry, Kind, MAX_DEPTH, Meaning, Node, Scalar, scalar, too_large, yaml_error};
use crate::diagnostic::{Diagnostic, FileId, Span};

/// Budget for all aliases together, in bytes of keys and texts; a value without text counts as `VALUE` bytes.
const ALIAS_BUDGET: usize = 20_000 * VALUE;
const VALUE: usize = 64;

/// How values with a tag are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tags {
    /// As errors: manifests have no tags.
    Refused,
    /// As a map with the tag as its only key: `!Ref x` is read like `{"!Ref": x}`.
    Keys,
}

/// Parses a YAML document without tags. Errors are added to `findings`; `None` when there is no usable tree.
pub fn parse(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    read(file, text, Tags::Refused, findings)
}

/// Parses a YAML document whose tags are functions, such as CloudFormation's: `!Ref x` is read like `{"!Ref": x}`.
/// Errors are added to `findings`; `None` when there is no usable tree.
pub fn parse_with_tags(file: FileId, text: &str, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    read(file, text, Tags::Keys, findings)
}

fn read(file: FileId, text: &str, tags: Tags, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    if let Some(finding) = too_large(file, text) {
        findings.push(finding);
        return None;
    }
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        disallow_directives: true,
        emit_comments: false,
    };
    let mut builder = Builder {
        tags,
        file,
        text,
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        budget: ALIAS_BUDGET,
        findings,
    };
    builder.document().unwrap_or_default()
}

/// Parsing can't continue; the finding with the reason has been recorded.
struct Stop;

struct Builder<'a> {
    tags: Tags,
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
                self.findings.push(yaml_error::finding(self.file, self.text, &error));
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
                        Diagnostic::error("many-documents", at, "a second document starts here")
                            .help("Only one document per file: remove the `---`, or split the file."),
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
        let mut function: Option<(String, Span)> = None;
        if let Some(tag) = event.tag() {
            let shown = tag.original();
            let place = span.tag_span().map_or(at, |span| self.span(span));
            if self.tags == Tags::Keys && !shown.starts_with("!!") {
                function = Some((shown, place));
            } else {
                let help = "Remove the tag. Quote a value that must be text.";
                self.error(Diagnostic::error("tag", place, format!("the tag `{shown}` is not allowed")).help(help));
            }
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
                self.error(Diagnostic::error("syntax", at, "expected a value"));
                return Err(Stop);
            }
        };
        let node = match function {
            Some((key, key_span)) => {
                let span = Span { start: key_span.start, ..node.span };
                Node { span, kind: Kind::Map(vec![Entry { key, key_span, value: node }]) }
            }
            None => node,
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
                    format!("a key must be text, not {}", key_node.describe()),
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
                    Diagnostic::error("duplicate-key", key_node.span, format!("duplicate key `{key}`"))
                        .related(first, "first used here")
                        .help("Remove one of the two."),
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

    /// Merges `<<: *anchor`: the anchored map's entries below the map's own (the merge key of YAML 1.1, which many
    /// files use).
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
                    format!("`<<` must be a map or a list of maps, not {}", merge.describe()),
                )
                .help("Write `<<: *name`, where `name` is the anchor of a map."),
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
                Diagnostic::error("alias", at, "the alias refers to a value that contains it")
                    .help("Remove the alias."),
            );
            return Err(Stop);
        };
        let (size, depth) = (weight(node), node.depth());
        if size > self.budget || depth > MAX_DEPTH {
            self.error(
                Diagnostic::error("alias", at, "the aliases of this file expand to too many values")
                    .help("Use `defaults` for settings that all images share."),
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

    /// The span without trailing white space: the parser ends block values where the next token begins.
    fn trimmed(&self, start: u32, end: u32) -> Span {
        let text = self.text.get(start as usize..end as usize).unwrap_or("");
        let length = text.trim_end().len();
        Span { file: self.file, start, end: start + to_u32(length) }
    }
}

/// Size of a copy of a value in bytes.
fn weight(node: &Node) -> usize {
    VALUE
        + match &node.kind {
            Kind::Scalar(scalar) => scalar.text.len(),
            Kind::List(items) => items.iter().map(weight).sum(),
            Kind::Map(entries) => entries.iter().map(|entry| entry.key.len() + weight(&entry.value)).sum(),
        }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Sources;

    #[test]
    fn a_tag_is_the_key_of_a_map_where_tags_are_functions() {
        let text = "a: !Sub '${B}-c'\nb: !GetAtt [X, Arn]\n";
        let file = Sources::default().add("stack.yml", text);
        let mut findings = Vec::new();
        let tree = parse_with_tags(file, text, &mut findings).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        let call = &tree.get("a").unwrap().entries()[0];
        assert_eq!((call.key.as_str(), call.value.as_text()), ("!Sub", Some("${B}-c")));
        assert_eq!(&text[call.key_span.range()], "!Sub");
        assert_eq!(tree.get("b").unwrap().get("!GetAtt").unwrap().items().len(), 2);
        parse(file, text, &mut findings);
        assert_eq!(findings.iter().filter(|finding| finding.code == "tag").count(), 2);
    }
}
