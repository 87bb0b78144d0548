//! The body of a block to the tree: attributes, nested blocks, and `dynamic` ones.

use hcl_edit::Span;
use hcl_edit::structure::{Block, Body, Structure};

use super::evaluate::{Scope, set};
use super::lower::{Lowering, put};
use super::operate;
use super::value::Value;
use crate::input::key;
use crate::json::{Kind, Member, Node};

/// Blocks that hold one entry of a map each, and the map.
const ENTRIES: [(&str, &str); 8] = [
    ("tag", "tags"),
    ("run_tag", "run_tags"),
    ("run_volume_tag", "run_volume_tags"),
    ("snapshot_tag", "snapshot_tags"),
    ("spot_tag", "spot_tags"),
    ("fleet_tag", "fleet_tags"),
    ("filter", "filters"),
    ("fast_launch_tag", "fast_launch_tags"),
];

/// Blocks that stand for a list even where there is one.
const LISTS: [&str; 1] = ["Statement"];

/// A nested block, or one that a `dynamic` block makes.
pub(super) struct Nested<'b, 'm, 'a> {
    pub(super) name: String,
    pub(super) labels: Vec<String>,
    pub(super) body: &'b Body,
    pub(super) scope: Scope<'m, 'a>,
    /// Where its comment ends in the file.
    pub(super) start: usize,
}

impl Lowering<'_> {
    /// The blocks of a body, with what `dynamic` makes.
    pub(super) fn blocks<'b, 'm, 'a>(
        &mut self,
        scope: &Scope<'m, 'a>,
        body: &'b Body,
        path: &str,
    ) -> Vec<Nested<'b, 'm, 'a>> {
        let mut all = Vec::new();
        for block in body.blocks() {
            if block.ident.as_str() == "dynamic" {
                self.dynamic(scope, block, path, &mut all);
            } else {
                all.push(Nested {
                    name: block.ident.as_str().to_owned(),
                    labels: block.labels.iter().map(|label| label.as_str().to_owned()).collect(),
                    body: &block.body,
                    scope: scope.with(Vec::new()),
                    start: block.span().unwrap_or_default().start,
                });
            }
        }
        all
    }

    fn dynamic<'b, 'm, 'a>(
        &mut self,
        scope: &Scope<'m, 'a>,
        block: &'b Block,
        path: &str,
        all: &mut Vec<Nested<'b, 'm, 'a>>,
    ) {
        let labels: Vec<&str> = block.labels.iter().map(hcl_edit::structure::BlockLabel::as_str).collect();
        let [name] = labels.as_slice() else {
            return self.refuse(scope.file, block.span(), "a `dynamic` block names one kind of block".to_owned(), "");
        };
        let path = key(path, name);
        let (Some(each), Some(content)) =
            (block.body.get_attribute("for_each"), block.body.get_blocks("content").next())
        else {
            let message = "a `dynamic` block has `for_each` and `content`".to_owned();
            return self.refuse(scope.file, block.span(), message, "");
        };
        let Some(value) = self.value(scope, &each.value, &path) else { return };
        if value == Value::Null {
            return;
        }
        let pairs = match scope.pairs(&value, each.value.span()) {
            Ok(pairs) => pairs,
            Err(fault) => return self.fault(fault, scope.file, &path),
        };
        let iterator = match block.body.get_attribute("iterator").map(|attribute| &attribute.value) {
            Some(hcl_edit::expr::Expression::Variable(name)) => name.as_str().to_owned(),
            _ => (*name).to_owned(),
        };
        for (index, value) in pairs {
            if let Err(fault) = scope.module.spend(256 + value.size()) {
                return self.fault(fault, scope.file, &path);
            }
            let mut item = Vec::new();
            set(&mut item, "key".to_owned(), index);
            set(&mut item, "value".to_owned(), value);
            all.push(Nested {
                name: (*name).to_owned(),
                labels: block.labels.iter().skip(1).map(|label| label.as_str().to_owned()).collect(),
                body: &content.body,
                scope: scope.with(vec![(iterator.clone(), Value::Map(item))]),
                start: block.span().unwrap_or_default().start,
            });
        }
    }

    /// The tree of a body. `tree` and `path`: where it goes, and where it comes from.
    pub(super) fn body(
        &mut self,
        scope: &Scope,
        body: &Body,
        tree: &str,
        path: &str,
        skip: &[&str],
        members: &mut Vec<Member>,
    ) {
        for structure in body {
            let Structure::Attribute(attribute) = structure else { continue };
            let name = attribute.key.as_str();
            if !skip.contains(&name)
                && let Some(node) = self.attribute(scope, &attribute.value, &key(path, name))
            {
                put(members, name.to_owned(), node);
            }
        }
        let blocks = self.blocks(scope, body, path);
        let mut lists: Vec<(String, Vec<Node>)> = Vec::new();
        for (at, block) in blocks.iter().enumerate() {
            let alike = blocks.iter().filter(|other| other.name == block.name).count();
            let index = blocks[..at].iter().filter(|other| other.name == block.name).count();
            let own = key(path, &block.name);
            let own = if alike > 1 { format!("{own}[{index}]") } else { own };
            if let Some((_, map)) = ENTRIES.iter().find(|(name, _)| *name == block.name) {
                self.entry(block, &key(tree, map), &own, members, map);
                continue;
            }
            let list = LISTS.contains(&block.name.as_str());
            let below = key(tree, &block.name);
            let below = if alike > 1 || list { format!("{below}[{index}]") } else { below };
            let mut inner = Vec::new();
            self.body(&block.scope, block.body, &below, &own, &[], &mut inner);
            let node = Node::bare(Kind::Map(inner));
            match lists.iter_mut().find(|(name, _)| *name == block.name) {
                Some((_, nodes)) => nodes.push(node),
                None => lists.push((block.name.clone(), vec![node])),
            }
        }
        for (name, mut nodes) in lists {
            let node = match nodes.len() {
                1 if !LISTS.contains(&name.as_str()) => nodes.remove(0),
                _ => Node::bare(Kind::List(nodes)),
            };
            put(members, name, node);
        }
    }

    /// A block `{ key = …, value = … }` as an entry of a map.
    fn entry(&mut self, block: &Nested, tree: &str, path: &str, members: &mut Vec<Member>, map: &str) {
        let mut name = None;
        let mut value = None;
        for attribute in block.body.attributes() {
            let own = key(path, attribute.key.as_str());
            match attribute.key.as_str() {
                "key" | "name" => name = self.string(&block.scope, &attribute.value, &own),
                "value" | "values" => value = self.attribute(&block.scope, &attribute.value, &own),
                _ => self.unknown(block.scope.file, &own),
            }
        }
        let (Some(name), Some(value)) = (name, value) else { return };
        let file = self.file(block.scope.file).to_owned();
        self.places.set(key(tree, &name), &file, path);
        let known = members.iter_mut().find(|member| member.key == map);
        match known.map(|member| &mut member.value.kind) {
            Some(Kind::Map(entries)) => put(entries, name, value),
            _ => put(members, map.to_owned(), Node::bare(Kind::Map(vec![Member { key: name, value }]))),
        }
    }

    /// A truth value of an attribute of ours; false when there is none.
    pub(super) fn flag(&mut self, scope: &Scope, body: &Body, name: &str, path: &str) -> bool {
        let Some(attribute) = body.get_attribute(name) else { return false };
        let Some(value) = self.value(scope, &attribute.value, path) else { return false };
        match operate::truth(scope, &value, attribute.value.span()) {
            Ok(truth) => truth,
            Err(fault) => {
                self.fault(fault, scope.file, path);
                false
            }
        }
    }
}
