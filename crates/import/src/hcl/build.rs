//! Converts `build` blocks to blocks of the template: one for each source that a build uses.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, TraversalOperator};
use hcl_edit::structure::{Block, Body};
use indexmap::IndexMap;

use super::body::NestedBlock;
use super::lower::Lowering;
use super::module::Module;
use super::scope::Scope;
use super::source::{Overrides, SourceBlock};
use crate::input::{InputValue, Location, Member, ValueKind};
use crate::packer::{BuildBlock, MOST_BUILDERS, PostProcessor, Provisioner};

/// Sources by type and name.
type Sources<'b> = IndexMap<(String, String), SourceBlock<'b>>;

/// A source that a build uses.
struct SourceUse<'s, 'b, 'm, 'a> {
    source: &'s SourceBlock<'b>,
    /// Name of the source in the build.
    name: String,
    over: Option<Overrides<'b, 'm, 'a>>,
}

impl SourceUse<'_, '_, '_, '_> {
    /// Type and name of the source in the build.
    fn key(&self) -> (String, String) {
        (self.source.kind.clone(), self.name.clone())
    }
}

/// A `build` block.
pub(super) struct BuildDeclaration<'b> {
    pub(super) block: &'b Block,
    pub(super) file: usize,
    /// Path of the build in the template.
    pub(super) path: String,
}

/// A provisioner or post-processor as it applies to one source.
struct Step {
    kind: String,
    comments: Vec<String>,
    fields: InputValue,
}

impl Lowering<'_> {
    /// The blocks of a build, one for each source; `group` is the build's index.
    pub(super) fn build(
        &mut self,
        module: &Module,
        sources: &Sources,
        build: &BuildDeclaration,
        group: usize,
    ) -> Vec<BuildBlock> {
        let mut scope = Scope::new(module, build.file);
        let location = self.location(build.file, build.path.as_str());
        let body = &build.block.body;
        let name = body.get_attribute("name");
        let name = name.and_then(|name| self.string(&scope, &name.value, &location.key("name")));
        scope.build = Some(name.unwrap_or_default());
        let blocks = self.blocks(&scope, body, &location);
        let uses = self.uses(&scope, sources, build, &blocks);
        if uses.len() > MOST_BUILDERS {
            let message = format!("the build has {} sources; at most {MOST_BUILDERS} are imported", uses.len());
            self.refuse(build.file, build.block.ident.span(), message, "Split the template.");
            return Vec::new();
        }
        self.others(body, &location, &blocks);
        let names: BTreeSet<String> = uses.iter().map(|one| one.name.clone()).collect();
        let mut parts = Vec::new();
        for one in &uses {
            let builder = self.builder(module, one.source, &one.name, one.over.as_ref());
            let mut part = BuildBlock { group: Some(group), builders: vec![builder], ..BuildBlock::default() };
            self.steps(&blocks, &one.key(), &location, &names, &mut part);
            parts.push(part);
        }
        if uses.is_empty() {
            self.drop(&location, "it has no sources", "Add `sources` to it.");
        } else {
            self.report_unused_steps(&blocks, &uses, &location);
        }
        parts
    }

    /// Adds the steps of a build for one source.
    fn steps(
        &mut self,
        blocks: &[NestedBlock],
        source: &(String, String),
        location: &Location,
        names: &BTreeSet<String>,
        part: &mut BuildBlock,
    ) {
        let mut at = [0; 2];
        for block in blocks {
            match block.name.as_str() {
                "provisioner" => {
                    let own = location.key("provisioner").index(at[0]).at(Some(block.span.clone()));
                    at[0] += 1;
                    if let Some(Step { kind, comments, fields }) = self.step(block, source, &own, Some(names)) {
                        part.provisioners.push(Provisioner { kind, comments, fields, used: Cell::new(false) });
                    }
                }
                "post-processor" | "post-processors" => {
                    let chain = location.key("post-processor").index(at[1]).at(Some(block.span.clone()));
                    at[1] += 1;
                    let steps: Vec<Option<Step>> = if block.name == "post-processor" {
                        vec![self.step(block, source, &chain, None)]
                    } else {
                        let inner = self.blocks(&block.scope, block.body, &chain);
                        inner
                            .iter()
                            .enumerate()
                            .map(|(index, inner)| self.step(inner, source, &chain.index(index), None))
                            .collect()
                    };
                    let post = |Step { kind, fields, .. }| PostProcessor { kind, chain: chain.clone(), fields };
                    part.post_processors.extend(steps.into_iter().flatten().map(post));
                }
                _ => {}
            }
        }
    }

    /// The sources of a build, in order.
    fn uses<'s, 'b, 'm, 'a>(
        &mut self,
        scope: &Scope<'m, 'a>,
        sources: &'s Sources<'b>,
        build: &BuildDeclaration<'b>,
        blocks: &[NestedBlock<'b, 'm, 'a>],
    ) -> Vec<SourceUse<'s, 'b, 'm, 'a>> {
        let mut uses: Vec<SourceUse> = Vec::new();
        let location = self.location(build.file, build.path.as_str());
        let body: &'b Body = &build.block.body;
        if let Some(list) = body.get_attribute("sources") {
            for (reference, span) in self.references(scope, &list.value, &location.key("sources")) {
                match find(sources, &reference) {
                    Some(source) => uses.push(SourceUse { source, name: source.name.clone(), over: None }),
                    None => self.refuse(
                        scope.file,
                        span,
                        format!("no source `{reference}`"),
                        "Refer to a source by its type and its name: `source.amazon-ebs.web`.",
                    ),
                }
            }
        }
        for block in blocks.iter().filter(|block| block.name == "source") {
            let reference = block.labels.join(".");
            let Some(source) = find(sources, &reference) else {
                let span = Some(block.span.start..block.span.start + "source".len());
                let help = "Refer to a source by its type and its name: `source \"amazon-ebs.web\" {}`.";
                self.refuse(scope.file, span, format!("no source `{reference}`"), help);
                continue;
            };
            let location = self.location(block.scope.file, format!("{}.source.{reference}", build.path));
            let named = block.body.get_attribute("name");
            let named = named.and_then(|named| self.string(&block.scope, &named.value, &location.key("name")));
            uses.push(SourceUse {
                source,
                name: named.unwrap_or_else(|| source.name.clone()),
                over: Some(Overrides { body: block.body, scope: block.scope.with(Vec::new()), location }),
            });
            if let Some(SourceUse { name, over: Some(over), .. }) = uses.last_mut() {
                over.scope.source = Some((source.kind.clone(), name.clone()));
            }
        }
        for one in &uses {
            one.source.used.set(true);
        }
        uses
    }

    /// The sources that `sources` names, with and without quotes.
    fn references(
        &mut self,
        scope: &Scope,
        list: &Expression,
        location: &Location,
    ) -> Vec<(String, Option<Range<usize>>)> {
        let items: Vec<&Expression> = match list {
            Expression::Array(items) => items.iter().collect(),
            other => vec![other],
        };
        let mut references = Vec::new();
        for item in items {
            let names = match reference(item) {
                Some(reference) => vec![reference],
                None => self.strings(scope, item, location).unwrap_or_default(),
            };
            references.extend(names.into_iter().map(|name| (name, item.span())));
        }
        references
    }

    /// Reports the parts of a build other than sources and steps.
    fn others(&mut self, body: &Body, location: &Location, blocks: &[NestedBlock]) {
        for attribute in body.attributes() {
            let own = location.key(attribute.key.as_str());
            match attribute.key.as_str() {
                "sources" | "description" => {}
                "name" => self.changed(&own, "images are named after their sources", ""),
                _ => self.unknown(&own),
            }
        }
        for block in blocks {
            let own = location.key(&block.name);
            match block.name.as_str() {
                "source" | "provisioner" | "post-processor" | "post-processors" => {}
                "error-cleanup-provisioner" => self.drop(
                    &own,
                    "a failed bake runs no cleanup steps: its machine is terminated",
                    "If something outside the machine must be cleaned up, set `on-failure: continue` on the steps and add a cleanup step after them.",
                ),
                "hcp_packer_registry" => self.drop(
                    &own,
                    "HCP Packer is not supported",
                    "`bake-report.json` lists the images, and tags of an image record where it comes from.",
                ),
                _ => self.unknown(&own),
            }
        }
    }

    /// A provisioner or post-processor for one source; `None` when it does not apply to it.
    fn step(
        &mut self,
        block: &NestedBlock,
        source: &(String, String),
        location: &Location,
        names: Option<&BTreeSet<String>>,
    ) -> Option<Step> {
        let file = block.scope.file;
        let Some(kind) = block.labels.first() else {
            let span = Some(block.span.start..block.span.start + block.name.len());
            self.refuse(file, span, format!("the `{}` has no type", block.name), "Add the type as a label.");
            return None;
        };
        let mut scope = block.scope.with(Vec::new());
        scope.source = Some(source.clone());
        if !self.applies(&scope, block.body, source, location) {
            return None;
        }
        let comments = self.comments(file, block.span.start);
        let mut members = Vec::new();
        self.body(&scope, block.body, location, &["only", "except"], &mut members);
        self.choose_override(source, location, names, &mut members);
        let fields = InputValue::new(ValueKind::Map(members), location.clone());
        Some(Step { kind: kind.clone(), comments, fields })
    }

    /// Keeps the override for the source's name in the build. Overrides for the build's other sources are skipped;
    /// those for unknown sources are reported.
    fn choose_override(
        &mut self,
        source: &(String, String),
        location: &Location,
        names: Option<&BTreeSet<String>>,
        members: &mut Vec<Member>,
    ) {
        let Some(member) = members.iter_mut().find(|member| member.key == "override") else { return };
        let ValueKind::Map(entries) = &mut member.value.kind else { return };
        let unused: Vec<Location> = entries
            .iter()
            .filter(|entry| names.is_none_or(|names| !names.contains(&entry.key)))
            .map(|entry| location.key("override").key(&entry.key))
            .collect();
        entries.retain(|entry| entry.key == source.1);
        if entries.is_empty() {
            members.retain(|member| member.key != "override");
        }
        for own in unused {
            self.drop(&own, "the build has no source of this name", "");
        }
    }

    /// Whether `only` and `except` allow a step for a source.
    fn applies(&mut self, scope: &Scope, body: &Body, source: &(String, String), location: &Location) -> bool {
        let own = format!("{}.{}", source.0, source.1);
        let mut names = |name: &str| {
            let attribute = body.get_attribute(name)?;
            self.strings(scope, &attribute.value, &location.key(name)).filter(|names| !names.is_empty())
        };
        names("only").is_none_or(|only| only.contains(&own))
            && !names("except").is_some_and(|except| except.contains(&own))
    }

    /// Reports steps that run for none of the build's sources.
    fn report_unused_steps(&mut self, blocks: &[NestedBlock], uses: &[SourceUse], location: &Location) {
        for (at, block) in blocks.iter().filter(|block| block.name == "provisioner").enumerate() {
            let own = location.key("provisioner").index(at);
            if !uses.iter().any(|one| self.applies(&block.scope, block.body, &one.key(), &own)) {
                self.drop(
                    &own,
                    "it runs on none of the build's sources",
                    "`only` and `except` need the type and the name: `amazon-ebs.web`.",
                );
            }
        }
    }
}

/// A reference without quotes: `source.amazon-ebs.web`.
fn reference(expr: &Expression) -> Option<String> {
    let Expression::Traversal(traversal) = expr else { return None };
    let Expression::Variable(root) = &traversal.expr else { return None };
    if !matches!(root.as_str(), "source" | "sources") {
        return None;
    }
    let name = |operator: &'_ hcl_edit::Decorated<TraversalOperator>| match operator.value() {
        TraversalOperator::GetAttr(name) => Some(name.as_str().to_owned()),
        _ => None,
    };
    let parts: Option<Vec<String>> = traversal.operators.iter().map(name).collect();
    Some(format!("source.{}", parts?.join(".")))
}

fn find<'s, 'b>(sources: &'s Sources<'b>, reference: &str) -> Option<&'s SourceBlock<'b>> {
    let own = reference.strip_prefix("source.").or_else(|| reference.strip_prefix("sources.")).unwrap_or(reference);
    let (kind, name) = own.split_once('.')?;
    sources.get(&(kind.to_owned(), name.to_owned()))
}
