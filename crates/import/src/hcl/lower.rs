//! Values to the tree that Packer's JSON templates have.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::Expression;

use super::evaluate::Scope;
use super::fault::{Fault, Outcome, Wrong};
use super::module::HIDDEN;
use super::places::Places;
use super::value::{Piece, Text, Value, number_text};
use crate::input::{Finding, Kind as Told, Log, key};
use crate::json::{Kind, Member, Node};
use crate::template::Trouble;

/// What lowering writes down.
pub(super) struct Lowering<'l> {
    pub(super) log: &'l Log,
    pub(super) names: &'l [(String, String)],
    pub(super) places: Places,
    /// Mistakes of the template.
    pub(super) wrong: Vec<Wrong>,
    /// The data source that the image of the source at hand comes from.
    pub(super) origin: Option<String>,
}

impl Lowering<'_> {
    pub(super) fn file(&self, file: usize) -> &str {
        self.names.get(file).map_or("", |(name, _)| name)
    }

    fn say(&self, kind: Told, file: usize, path: &str, why: impl Into<String>, help: impl Into<String>) {
        let finding = Finding {
            kind,
            file: self.file(file).to_owned(),
            path: path.to_owned(),
            why: why.into(),
            help: help.into(),
        };
        self.log.say(finding);
    }

    /// It does not come over.
    pub(super) fn drop(&self, file: usize, path: &str, why: impl Into<String>, help: impl Into<String>) {
        self.say(Told::Dropped, file, path, why, help);
    }

    /// It comes over, but means something a little different.
    pub(super) fn changed(&self, file: usize, path: &str, why: impl Into<String>, help: impl Into<String>) {
        self.say(Told::Changed, file, path, why, help);
    }

    /// A fault at a path: told, or refused.
    pub(super) fn fault(&mut self, fault: Fault, file: usize, path: &str) {
        match fault {
            Fault::Trouble(trouble) => self.drop(file, path, trouble.why, trouble.help),
            Fault::Wrong(wrong) => {
                if !self.wrong.contains(&wrong) {
                    self.wrong.push(*wrong);
                }
            }
        }
    }

    /// The value of an attribute, with its notes told; none when it has none here, which is told.
    pub(super) fn value(&mut self, scope: &Scope, expr: &Expression, path: &str) -> Option<Value> {
        let outcome = scope.eval(expr);
        let notes = scope.take_notes();
        match outcome {
            Ok(value) => {
                for note in notes {
                    self.changed(scope.file, path, note, "");
                }
                Some(value)
            }
            Err(fault) => {
                self.fault(fault, scope.file, path);
                None
            }
        }
    }

    /// The text of an attribute as the template stands.
    pub(super) fn string(&mut self, scope: &Scope, expr: &Expression, path: &str) -> Option<String> {
        let value = self.value(scope, expr, path)?;
        match scope.string(&value, expr.span()) {
            Ok(text) => Some(text),
            Err(fault) => {
                self.fault(fault, scope.file, path);
                None
            }
        }
    }

    /// The texts of an attribute as the template stands.
    pub(super) fn strings(&mut self, scope: &Scope, expr: &Expression, path: &str) -> Option<Vec<String>> {
        let items = match self.value(scope, expr, path)? {
            Value::Null => return None,
            Value::List(items) => items,
            other => vec![other],
        };
        let texts = items.iter().map(|item| scope.string(item, expr.span())).collect::<Outcome<Vec<_>>>();
        texts.map_err(|fault| self.fault(fault, scope.file, path)).ok()
    }

    /// The tree of an attribute. The entries of a map that is written down are told one by one.
    pub(super) fn attribute(&mut self, scope: &Scope, expr: &Expression, path: &str) -> Option<Node> {
        if let Expression::Object(entries) = expr {
            let mut members: Vec<Member> = Vec::new();
            for (name, value) in entries {
                let name = match scope.key(name) {
                    Ok(name) => name,
                    Err(fault) => {
                        self.fault(fault, scope.file, path);
                        continue;
                    }
                };
                let inner = key(path, &name);
                if let Some(node) = self.attribute(scope, value.expr(), &inner) {
                    put(&mut members, name, node);
                }
            }
            return Some(Node::bare(Kind::Map(members)));
        }
        let value = self.value(scope, expr, path)?;
        match self.node(&value) {
            Ok(node) => Some(node),
            Err(trouble) => {
                self.drop(scope.file, path, trouble.why, trouble.help);
                None
            }
        }
    }

    /// The tree of a value.
    pub(super) fn node(&self, value: &Value) -> Result<Node, Trouble> {
        Ok(Node::bare(match value {
            Value::Null => Kind::Null,
            Value::Bool(value) => Kind::Bool(*value),
            Value::Number(number) => Kind::Number(number_text(*number)),
            Value::Text(text) => Kind::Text(self.template(text)?),
            Value::List(items) => Kind::List(items.iter().map(|item| self.node(item)).collect::<Result<_, _>>()?),
            Value::Map(entries) => {
                let mut members = Vec::new();
                for (key, value) in entries {
                    put(&mut members, key.clone(), self.node(value)?);
                }
                Kind::Map(members)
            }
        }))
    }

    /// A text as a template of Packer's JSON.
    fn template(&self, text: &Text) -> Result<String, Trouble> {
        let mut out = String::new();
        for piece in &text.0 {
            match piece {
                Piece::Plain(text) => out.push_str(text),
                Piece::Live(live) => out.push_str(&live.template),
                Piece::Time(layout) if layout.contains(['`', '\n']) || layout.contains("}}") => {
                    return Err(Trouble::new("the time is written in a form that has no counterpart"));
                }
                Piece::Time(layout) => out.push_str(&format!("{{{{isotime `{layout}`}}}}")),
                Piece::Data { name, field } => out.push_str(&self.source(name, field)?),
            }
        }
        Ok(out)
    }

    /// A field of the image that is started from.
    fn source(&self, name: &str, field: &str) -> Result<String, Trouble> {
        if name == HIDDEN {
            return Err(Trouble::new(format!("it is part of `{field}`, whose values are never copied"))
                .help("Make a variable of its own of each, of the type string: it becomes a secret."));
        }
        if self.origin.as_deref() != Some(name) {
            return Err(Trouble::new(format!("`data.amazon-ami.{name}` is not the image that is started from"))
                .help("Make it the source of an image, or name what is meant."));
        }
        Ok(match field {
            "id" => "{{ .SourceAMI }}".to_owned(),
            "name" => "{{ .SourceAMIName }}".to_owned(),
            "owner" => "{{ .SourceAMIOwner }}".to_owned(),
            "creation_date" => "{{ .SourceAMICreationDate }}".to_owned(),
            other => match other.strip_prefix("tags.") {
                Some(tag) if tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                    format!("{{{{ .SourceAMITags.{tag} }}}}")
                }
                _ => return Err(Trouble::new(format!("`{other}` of the source image has no counterpart"))),
            },
        })
    }

    /// A block or an attribute that no template has there.
    pub(super) fn unknown(&self, file: usize, path: &str) {
        self.drop(
            file,
            path,
            "ami-bake does not know this here",
            "Look whether the images need it; if so, write it into the manifest by hand.",
        );
    }

    pub(super) fn refuse(&mut self, file: usize, span: Option<Range<usize>>, message: String, help: &str) {
        self.fault(Fault::wrong(file, span, message, help), file, "");
    }
}

/// Sets an entry; a later one of the same name takes its place.
pub(super) fn put(members: &mut Vec<Member>, key: String, value: Node) {
    match members.iter_mut().find(|member| member.key == key) {
        Some(member) => member.value = value,
        None => members.push(Member { key, value }),
    }
}

/// A text of the tree.
pub(super) fn word(text: impl Into<String>) -> Node {
    Node::bare(Kind::Text(text.into()))
}
