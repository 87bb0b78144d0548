//! The body of a block: attributes, nested blocks, and `dynamic` blocks.

use std::collections::HashMap;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, BlockLabel, Body, Structure};
use indexmap::IndexMap;

use super::lower::{Lowering, put};
use super::scope::Scope;
use super::value::HclValue;
use crate::input::{InputValue, Location, Member, ValueKind};

/// Names of blocks that each hold an entry of a map, and the name of that map.
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

/// Blocks that form a list even when there is only one.
const LISTS: [&str; 1] = ["Statement"];

/// A nested block, or one that a `dynamic` block generates.
pub(super) struct NestedBlock<'b, 'm, 'a> {
    pub(super) name: String,
    pub(super) labels: Vec<String>,
    pub(super) body: &'b Body,
    pub(super) scope: Scope<'m, 'a>,
    /// Byte range in the file.
    pub(super) span: Range<usize>,
}

impl Lowering<'_> {
    /// The nested blocks of a body, including those that `dynamic` generates.
    pub(super) fn blocks<'b, 'm, 'a>(
        &mut self,
        scope: &Scope<'m, 'a>,
        body: &'b Body,
        location: &Location,
    ) -> Vec<NestedBlock<'b, 'm, 'a>> {
        let mut all = Vec::new();
        for block in body.blocks() {
            if block.ident.as_str() == "dynamic" {
                self.dynamic(scope, block, location, &mut all);
            } else {
                all.push(NestedBlock {
                    name: block.ident.as_str().to_owned(),
                    labels: block.labels.iter().map(|label| label.as_str().to_owned()).collect(),
                    body: &block.body,
                    scope: scope.with(Vec::new()),
                    span: block.span().unwrap_or_default(),
                });
            }
        }
        all
    }

    fn dynamic<'b, 'm, 'a>(
        &mut self,
        scope: &Scope<'m, 'a>,
        block: &'b Block,
        location: &Location,
        all: &mut Vec<NestedBlock<'b, 'm, 'a>>,
    ) {
        let labels: Vec<&str> = block.labels.iter().map(BlockLabel::as_str).collect();
        let [name] = labels.as_slice() else {
            return self.refuse(scope.file, block.span(), "a `dynamic` block needs one label", "");
        };
        let location = location.key(name);
        let (Some(each), Some(content)) =
            (block.body.get_attribute("for_each"), block.body.get_blocks("content").next())
        else {
            return self.refuse(scope.file, block.span(), "a `dynamic` block needs `for_each` and `content`", "");
        };
        let Some(value) = self.value(scope, &each.value, &location) else { return };
        if value == HclValue::Null {
            return;
        }
        let pairs = match scope.pairs(&value, each.value.span()) {
            Ok(pairs) => pairs,
            Err(error) => return self.error(error, &location),
        };
        let iterator = match block.body.get_attribute("iterator").map(|attribute| &attribute.value) {
            Some(Expression::Variable(name)) => name.as_str().to_owned(),
            _ => (*name).to_owned(),
        };
        for (index, value) in pairs {
            if let Err(error) = scope.module.spend(256 + value.size()) {
                return self.error(error.at(scope.file, each.value.span()), &location);
            }
            let item = IndexMap::from([("key".to_owned(), index), ("value".to_owned(), value)]);
            let scope = scope.with(vec![(iterator.clone(), HclValue::Map(item))]);
            // Labels may depend on the item, such as the type of a provisioner.
            let labels = match block.body.get_attribute("labels") {
                Some(labels) => self.strings(&scope, &labels.value, &location.key("labels")).unwrap_or_default(),
                None => Vec::new(),
            };
            all.push(NestedBlock {
                name: (*name).to_owned(),
                labels,
                body: &content.body,
                scope,
                span: block.span().unwrap_or_default(),
            });
        }
    }

    /// Adds the attributes and blocks of a body to a map.
    pub(super) fn body(
        &mut self,
        scope: &Scope,
        body: &Body,
        location: &Location,
        skip: &[&str],
        members: &mut Vec<Member>,
    ) {
        for structure in body {
            let Structure::Attribute(attribute) = structure else { continue };
            let name = attribute.key.as_str();
            // Looking for an earlier one of the same name takes longer with each.
            if let Err(error) = scope.module.spend(members.len()) {
                return self.error(error.at(scope.file, attribute.span()), location);
            }
            if !skip.contains(&name)
                && let Some(value) = self.attribute(scope, &attribute.value, &location.key(name))
            {
                put(members, name.to_owned(), value);
            }
        }
        let blocks = self.blocks(scope, body, location);
        let mut lists: IndexMap<String, Vec<InputValue>> = IndexMap::new();
        let mut alike: HashMap<&str, usize> = HashMap::new();
        for block in &blocks {
            *alike.entry(&block.name).or_default() += 1;
        }
        let mut indices: HashMap<&str, usize> = HashMap::new();
        for block in &blocks {
            let alike = alike.get(block.name.as_str()).copied().unwrap_or_default();
            let next = indices.entry(&block.name).or_default();
            let index = *next;
            *next += 1;
            let own = location.key(&block.name);
            let own = if alike > 1 || LISTS.contains(&block.name.as_str()) { own.index(index) } else { own };
            let own = own.at(Some(block.span.clone()));
            if let Some((_, map)) = ENTRIES.iter().find(|(name, _)| *name == block.name) {
                self.entry(block, &own, &location.key(map), members, map);
                continue;
            }
            let mut inner = Vec::new();
            self.body(&block.scope, block.body, &own, &[], &mut inner);
            let value = InputValue::new(ValueKind::Map(inner), own);
            lists.entry(block.name.clone()).or_default().push(value);
        }
        for (name, mut values) in lists {
            let value = match values.len() {
                1 if !LISTS.contains(&name.as_str()) => values.remove(0),
                _ => InputValue::new(ValueKind::List(values), location.key(&name)),
            };
            put(members, name, value);
        }
    }

    /// Adds a block `{ key = …, value = … }` as an entry of a map.
    fn entry(
        &mut self,
        block: &NestedBlock,
        location: &Location,
        map_location: &Location,
        members: &mut Vec<Member>,
        map: &str,
    ) {
        let mut name = None;
        let mut value = None;
        for attribute in block.body.attributes() {
            let own = location.key(attribute.key.as_str());
            match attribute.key.as_str() {
                "key" | "name" => name = self.string(&block.scope, &attribute.value, &own),
                "value" | "values" => value = self.attribute(&block.scope, &attribute.value, location),
                _ => self.unknown(&own),
            }
        }
        let (Some(name), Some(value)) = (name, value) else { return };
        let known = members.iter_mut().find(|member| member.key == map);
        if let Some(ValueKind::Map(entries)) = known.map(|member| &mut member.value.kind) {
            put(entries, name, value);
            return;
        }
        let entries = ValueKind::Map(vec![Member { key: name, value }]);
        put(members, map.to_owned(), InputValue::new(entries, map_location.clone()));
    }

    /// A boolean attribute of a block of the template itself; false when it is missing.
    pub(super) fn flag(&mut self, scope: &Scope, body: &Body, name: &str, location: &Location) -> bool {
        let Some(attribute) = body.get_attribute(name) else { return false };
        let Some(value) = self.value(scope, &attribute.value, location) else { return false };
        match scope.truth(&value, attribute.value.span()) {
            Ok(truth) => truth,
            Err(error) => {
                self.error(error, location);
                false
            }
        }
    }
}
