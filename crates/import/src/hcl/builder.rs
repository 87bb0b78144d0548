//! `source` blocks to builders.

use std::cell::Cell;

use hcl_edit::structure::Body;

use super::comment;
use super::evaluate::Scope;
use super::lower::{Lowering, put, word};
use super::module::Module;
use super::value::{Piece, Value};
use crate::input::key;
use crate::json::{Kind, Member, Node};

/// A `source` block.
pub(super) struct Source<'b> {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) body: &'b Body,
    pub(super) start: usize,
    pub(super) used: Cell<bool>,
}

/// What a build says of a source in a block of its own.
pub(super) struct Over<'b, 'm, 'a> {
    pub(super) body: &'b Body,
    pub(super) scope: Scope<'m, 'a>,
    pub(super) path: String,
}

/// Fields of `data "amazon-ami"` that say which image it is.
const FILTER: [&str; 4] = ["filters", "owners", "most_recent", "include_deprecated"];

impl Lowering<'_> {
    /// The builder of a source as a build uses it; `tree`: where it goes.
    pub(super) fn builder<'a>(
        &mut self,
        module: &Module<'a>,
        source: &Source,
        name: &str,
        over: Option<&Over<'_, '_, 'a>>,
        tree: &str,
    ) -> Node {
        let path = format!("source.{}.{}", source.kind, source.name);
        let file = self.file(source.file).to_owned();
        self.places.set(tree, &file, path.clone());
        let mut members = vec![
            Member { key: "type".to_owned(), value: word(source.kind.as_str()) },
            Member { key: "name".to_owned(), value: word(name) },
        ];
        let comments = self.comments(source.file, source.start);
        if !comments.is_empty() {
            let lines = comments.into_iter().map(word).collect();
            put(&mut members, "_comment".to_owned(), Node::bare(Kind::List(lines)));
        }
        let scope = Scope::new(module, source.file);
        self.origin = None;
        let wanted = over
            .and_then(|over| over.body.get_attribute("source_ami").map(|attribute| (&over.scope, attribute)))
            .or_else(|| source.body.get_attribute("source_ami").map(|attribute| (&scope, attribute)));
        let found = wanted.map(|(scope, attribute)| {
            let value = scope.eval(&attribute.value);
            scope.take_notes();
            value
        });
        let mut skip = vec!["name"];
        if let Some(Ok(Value::Text(text))) = found {
            if let [Piece::Data { name, field }] = text.0.as_slice()
                && field == "id"
                && module.find_data("amazon-ami", name).is_some()
            {
                skip.push("source_ami");
                self.origin = Some(name.clone());
            } else if let Some(parameter) = module.parameter(&text) {
                skip.push("source_ami");
                put(&mut members, "source_ami_parameter".to_owned(), word(parameter));
                self.places.set(key(tree, "source_ami_parameter"), &file, key(&path, "source_ami"));
            }
        }
        // What the build says takes the place of what the source says.
        if let Some(over) = over {
            for attribute in over.body.attributes() {
                let own = attribute.key.as_str();
                if source.body.has_attribute(own) && own != "name" {
                    skip.push(own);
                    self.changed(source.file, &key(&path, own), "the `source` block of a build takes its place", "");
                }
            }
        }
        self.body(&scope, source.body, tree, &path, &skip, &mut members);
        if let Some(over) = over {
            let kept: Vec<&str> = skip.iter().copied().filter(|own| matches!(*own, "name" | "source_ami")).collect();
            let skipped: Vec<&str> = if kept.len() > 1 && self.origin.is_none() { vec!["name"] } else { kept };
            let file = self.file(over.scope.file).to_owned();
            for structure in over.body {
                let own = match structure {
                    hcl_edit::structure::Structure::Attribute(attribute) => attribute.key.as_str(),
                    hcl_edit::structure::Structure::Block(block) => block.ident.as_str(),
                };
                self.places.set(key(tree, own), &file, key(&over.path, own));
            }
            self.body(&over.scope, over.body, tree, &over.path, &skipped, &mut members);
        }
        if let Some(name) = self.origin.clone() {
            self.filter(module, &name, tree, &mut members);
        }
        Node::bare(Kind::Map(members))
    }

    /// `data "amazon-ami"` as the filter that it is.
    fn filter(&mut self, module: &Module, name: &str, tree: &str, members: &mut Vec<Member>) {
        let Some(data) = module.find_data("amazon-ami", name) else { return };
        let path = format!("data.amazon-ami.{name}");
        let below = key(tree, "source_ami_filter");
        let file = self.file(data.file).to_owned();
        self.places.set(below.clone(), &file, path.clone());
        let scope = Scope::new(module, data.file);
        let others: Vec<&str> = data
            .body
            .attributes()
            .map(|attribute| attribute.key.as_str())
            .filter(|own| !FILTER.contains(own))
            .collect();
        let region = members.iter().find(|member| member.key == "region").map(|member| member.value.clone());
        for own in &others {
            let Some(attribute) = data.body.get_attribute(own) else { continue };
            let own_path = key(&path, own);
            if *own == "region" {
                let node = self.attribute(&scope, &attribute.value, &own_path);
                if node == region {
                    continue;
                }
                self.drop(data.file, &own_path, "the image is looked for in the home region", "Set `aws.region`.");
            } else {
                let help = "The bake takes its credentials from the environment, a profile or a role.";
                self.drop(data.file, &own_path, "the image is looked for with the bake's own credentials", help);
            }
        }
        for block in data.body.blocks().filter(|block| !matches!(block.ident.as_str(), "filter" | "dynamic")) {
            let own = key(&path, block.ident.as_str());
            self.drop(data.file, &own, "the image is looked for with the bake's own credentials", "See `aws.role`.");
        }
        let mut inner = Vec::new();
        self.body(&scope, data.body, &below, &path, &others, &mut inner);
        inner.retain(|member| FILTER.contains(&member.key.as_str()));
        put(members, "source_ami_filter".to_owned(), Node::bare(Kind::Map(inner)));
    }

    /// The comment above a place of a file.
    pub(super) fn comments(&self, file: usize, start: usize) -> Vec<String> {
        let Some((_, text)) = self.names.get(file) else { return Vec::new() };
        let before = text.get(..start).unwrap_or_default();
        let before = before.rfind('\n').map_or("", |end| &before[..end]);
        let from = before.len().saturating_sub(4096);
        let from = (from..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(before.len());
        comment::above(&before[from..])
    }
}
