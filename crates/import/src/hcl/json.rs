//! Converts templates in HCL2's JSON notation (`*.pkr.json`) to the equivalent HCL (HCL, json/spec.md).

use std::ops::Range;

use ami_bake_manifest::diagnostic::{Sources, Span};
use ami_bake_manifest::tree::{Kind, Meaning, Node, parse_json};

use super::error::TemplateError;
use crate::input::SpanMap;

/// The blocks that a body may contain: names, number of labels, and content.
type Blocks = &'static [(&'static str, usize, Content)];

/// Content of a block.
#[derive(Clone, Copy)]
struct Content {
    blocks: fn() -> Blocks,
    /// Name of the attribute that is a type or a name rather than a value.
    name: &'static str,
}

const NOTHING: Content = Content { blocks: || &[], name: "" };
const VARIABLE: Content = Content { blocks: || &[("validation", 0, NOTHING)], name: "type" };
/// Sources, data sources, provisioners and post-processors: nested blocks are read like attributes.
const PLUGIN: Content = Content { blocks: || PLUGIN_BLOCKS, name: "" };
const PLUGIN_BLOCKS: Blocks = &[
    ("dynamic", 1, DYNAMIC),
    ("tag", 0, NOTHING),
    ("run_tag", 0, NOTHING),
    ("run_volume_tag", 0, NOTHING),
    ("snapshot_tag", 0, NOTHING),
    ("spot_tag", 0, NOTHING),
    ("fleet_tag", 0, NOTHING),
    ("filter", 0, NOTHING),
];
const DYNAMIC: Content = Content { blocks: || &[("content", 0, PLUGIN)], name: "iterator" };
const CHAIN: Content = Content { blocks: || &[("post-processor", 1, PLUGIN), ("dynamic", 1, DYNAMIC)], name: "" };
const BUILD: Content = Content {
    blocks: || {
        &[
            ("source", 1, PLUGIN),
            ("provisioner", 1, PLUGIN),
            ("error-cleanup-provisioner", 1, PLUGIN),
            ("post-processor", 1, PLUGIN),
            ("post-processors", 0, CHAIN),
            ("hcp_packer_registry", 0, NOTHING),
            ("dynamic", 1, DYNAMIC),
        ]
    },
    name: "",
};
const ROOT: Content = Content {
    blocks: || {
        &[
            ("packer", 0, Content { blocks: || &[("required_plugins", 0, NOTHING)], name: "" }),
            ("variable", 1, VARIABLE),
            ("variables", 0, NOTHING),
            ("locals", 0, NOTHING),
            ("local", 1, NOTHING),
            ("data", 2, PLUGIN),
            ("source", 2, PLUGIN),
            ("build", 0, BUILD),
        ]
    },
    name: "",
};

/// The HCL of a template, with the locations in the JSON from which its parts come.
pub(super) fn template(file: usize, text: &str) -> Result<(String, SpanMap), TemplateError> {
    let id = Sources::default().add("", text);
    let mut findings = Vec::new();
    let tree = parse_json(id, text, &mut findings);
    let mut writer = Writer { file, out: String::new(), map: SpanMap::default() };
    match (findings.into_iter().next(), tree) {
        (None, Some(root)) => writer.body(&root, ROOT)?,
        (Some(finding), _) => {
            let span = finding.span.map(Span::range).unwrap_or_default();
            return Err(TemplateError { file, span, message: finding.message, help: finding.help.unwrap_or_default() });
        }
        (None, None) => {}
    }
    Ok((writer.out, writer.map))
}

struct Writer {
    file: usize,
    out: String,
    map: SpanMap,
}

impl Writer {
    fn body(&mut self, node: &Node, content: Content) -> Result<(), TemplateError> {
        // A list of objects is a single body in parts.
        if let Kind::List(items) = &node.kind {
            return items.iter().try_for_each(|item| self.body(item, content));
        }
        let Kind::Map(entries) = &node.kind else {
            return Err(self.invalid(node, "expected an object"));
        };
        for entry in entries {
            let key = entry.key.as_str();
            if key == "//" {
                for line in entry.value.as_text().unwrap_or_default().lines() {
                    self.out.push_str(&format!("# {line}\n"));
                }
            } else if let Some((name, labels, inner)) = (content.blocks)().iter().find(|(name, ..)| *name == key) {
                self.blocks(name, *labels, &mut Vec::new(), &entry.value, *inner)?;
            } else {
                let start = self.out.len();
                if !is_name(key) {
                    let message = format!("{key:?} is not a valid name of an argument");
                    return Err(TemplateError {
                        file: self.file,
                        span: entry.key_span.range(),
                        message,
                        help: String::new(),
                    });
                }
                self.out.push_str(&format!("{key} = "));
                match entry.value.as_text().filter(|_| key == content.name) {
                    Some(name) => self.out.push_str(name),
                    None => self.value(&entry.value),
                }
                self.out.push('\n');
                self.map.add(start..self.out.len(), entry.key_span.start as usize..entry.value.span.end as usize);
            }
        }
        Ok(())
    }

    /// Blocks with this name: each level of labels, and the bodies themselves, may be an object or a list of objects.
    fn blocks<'n>(
        &mut self,
        name: &str,
        labels: usize,
        known: &mut Vec<&'n str>,
        node: &'n Node,
        content: Content,
    ) -> Result<(), TemplateError> {
        match &node.kind {
            Kind::List(items) => items.iter().try_for_each(|item| self.blocks(name, labels, known, item, content)),
            Kind::Map(entries) if known.len() < labels => {
                for entry in entries.iter().filter(|entry| entry.key != "//") {
                    known.push(entry.key.as_str());
                    self.blocks(name, labels, known, &entry.value, content)?;
                    known.pop();
                }
                Ok(())
            }
            Kind::Map(_) => {
                let start = self.out.len();
                self.out.push_str(name);
                for label in known.iter() {
                    self.out.push_str(&format!(" {}", quoted(label)));
                }
                self.out.push_str(" {\n");
                self.body(node, content)?;
                self.out.push_str("}\n");
                self.map.add(start..self.out.len(), node.span.range());
                Ok(())
            }
            Kind::Scalar(_) => Err(self.invalid(node, &format!("expected the object of a `{name}` block"))),
        }
    }

    fn value(&mut self, node: &Node) {
        let start = self.out.len();
        match &node.kind {
            Kind::Scalar(scalar) => match scalar.meaning {
                Meaning::Text => self.out.push_str(&quoted(&scalar.text)),
                _ => self.out.push_str(&scalar.text),
            },
            Kind::List(items) => {
                self.out.push('[');
                for item in items {
                    self.value(item);
                    self.out.push_str(", ");
                }
                self.out.push(']');
            }
            Kind::Map(entries) => {
                self.out.push_str("{\n");
                for entry in entries {
                    self.out.push_str(&format!("{} = ", quoted(&entry.key)));
                    self.value(&entry.value);
                    self.out.push('\n');
                }
                self.out.push('}');
            }
        }
        self.map.add(start..self.out.len(), node.span.range());
    }

    fn invalid(&self, node: &Node, message: &str) -> TemplateError {
        let help = "See Packer's documentation of templates in JSON syntax.".to_owned();
        TemplateError { file: self.file, span: first(node.span.range()), message: message.to_owned(), help }
    }
}

fn first(span: Range<usize>) -> Range<usize> {
    span.start..span.end.min(span.start + 1)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// A JSON string as a quoted HCL template: the content of `${…}` and `%{…}` is kept.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("$${") || rest.starts_with("%%{") {
            out.push_str(&rest[..3]);
            rest = &rest[3..];
        } else if rest.starts_with("${") || rest.starts_with("%{") {
            let end = end(&rest[2..]).map_or(rest.len(), |end| end + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c => out.push(c),
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    out + "\""
}

/// The end of the expression at the start of a text, after its closing brace; strings and templates in it are skipped.
fn end(text: &str) -> Option<usize> {
    // The open brackets: `{`, and `"` for strings.
    let mut open = vec!['{'];
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (open.last(), c) {
            (Some('"'), '\\') => {
                chars.next();
            }
            (Some('"'), '"') | (Some('{'), '}') => {
                open.pop();
                if open.is_empty() {
                    return Some(at + 1);
                }
            }
            (Some('"'), '$' | '%') if chars.next_if(|(_, next)| *next == '{').is_some() => open.push('{'),
            (Some('{'), '{' | '"') => open.push(c),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_templates() {
        for (json, hcl) in [
            ("a\"b\\n", r#""a\"b\\n""#),
            ("${lookup(var.m, \"k\")}\n", "\"${lookup(var.m, \"k\")}\\n\""),
            ("${\"${var.a}}\"}\"", "\"${\"${var.a}}\"}\\\"\""),
            ("$${x} %{ if a }\"%{ endif }", "\"$${x} %{ if a }\\\"%{ endif }\""),
            ("{{user `x`}}", "\"{{user `x`}}\""),
        ] {
            assert_eq!(quoted(json), hcl);
        }
    }
}
