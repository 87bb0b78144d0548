//! `build` blocks to parts of a template: one for each source that a build uses.

use std::collections::BTreeSet;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, TraversalOperator};
use hcl_edit::structure::{Block, Body};

use super::body::Nested;
use super::builder::{Over, Source};
use super::evaluate::Scope;
use super::lower::{Lowering, put, word};
use super::module::Module;
use crate::input::key;
use crate::json::{Kind, Member, Node};

/// What a build uses: the source and what the build says of it.
struct Use<'s, 'b, 'm, 'a> {
    source: &'s Source<'b>,
    /// What it is called here.
    name: String,
    over: Option<Over<'b, 'm, 'a>>,
}

/// A build, and where it stands.
pub(super) struct Build<'b> {
    pub(super) block: &'b Block,
    pub(super) file: usize,
    /// Its path in the template.
    pub(super) path: String,
}

impl Lowering<'_> {
    /// The parts of a build; `parts` has those of the builds before.
    pub(super) fn build(&mut self, module: &Module, sources: &[Source], build: &Build, parts: &mut Vec<Node>) {
        let scope = Scope::new(module, build.file);
        let body = &build.block.body;
        let blocks = self.blocks(&scope, body, &build.path);
        let uses = self.uses(&scope, sources, build, &blocks);
        self.others(&scope, body, build, &blocks);
        let group = build.path.clone();
        let names: BTreeSet<String> = uses.iter().map(|one| one.name.clone()).collect();
        for one in &uses {
            let tree = format!("templates[{}]", parts.len());
            let mut members = vec![Member { key: "build".to_owned(), value: word(group.as_str()) }];
            let builder =
                self.builder(module, one.source, &one.name, one.over.as_ref(), &format!("{tree}.builders[0]"));
            put(&mut members, "builders".to_owned(), Node::bare(Kind::List(vec![builder])));
            let own = (one.source.kind.clone(), one.name.clone());
            let (mut provisioners, mut processors) = (Vec::new(), Vec::new());
            let mut at = [0; 2];
            for block in &blocks {
                match block.name.as_str() {
                    "provisioner" => {
                        let path = format!("{}.provisioner[{}]", build.path, at[0]);
                        at[0] += 1;
                        let below = format!("{tree}.provisioners[{}]", provisioners.len());
                        provisioners.extend(self.step(block, &own, &below, &path, Some(&names)));
                    }
                    "post-processor" => {
                        let path = format!("{}.post-processor[{}]", build.path, at[1]);
                        at[1] += 1;
                        let below = format!("{tree}.post-processors[{}]", processors.len());
                        processors.extend(self.step(block, &own, &below, &path, None));
                    }
                    "post-processors" => {
                        let path = format!("{}.post-processor[{}]", build.path, at[1]);
                        at[1] += 1;
                        let below = format!("{tree}.post-processors[{}]", processors.len());
                        let inner = self.blocks(&block.scope, block.body, &path);
                        let mut chain = Vec::new();
                        for (index, inner) in inner.iter().enumerate() {
                            let below = format!("{below}[{}]", chain.len());
                            chain.extend(self.step(inner, &own, &below, &format!("{path}[{index}]"), None));
                        }
                        if !chain.is_empty() {
                            processors.push(Node::bare(Kind::List(chain)));
                        }
                    }
                    _ => {}
                }
            }
            put(&mut members, "provisioners".to_owned(), Node::bare(Kind::List(provisioners)));
            put(&mut members, "post-processors".to_owned(), Node::bare(Kind::List(processors)));
            parts.push(Node::bare(Kind::Map(members)));
        }
        if uses.is_empty() {
            self.drop(build.file, &build.path, "it names no source that it is for", "Name its `sources`.");
        } else {
            self.nobody(&blocks, &uses, build);
        }
    }

    /// The sources of a build, in order.
    fn uses<'s, 'b, 'm, 'a>(
        &mut self,
        scope: &Scope<'m, 'a>,
        sources: &'s [Source<'b>],
        build: &Build<'b>,
        blocks: &[Nested<'b, 'm, 'a>],
    ) -> Vec<Use<'s, 'b, 'm, 'a>> {
        let mut uses: Vec<Use> = Vec::new();
        let body: &'b Body = &build.block.body;
        if let Some(list) = body.get_attribute("sources") {
            let path = key(&build.path, "sources");
            let mut references: Vec<(String, Option<std::ops::Range<usize>>)> = Vec::new();
            match &list.value {
                Expression::Array(items) => {
                    for item in items {
                        if let Some(reference) = reference(item) {
                            references.push((reference, item.span()));
                        } else {
                            let names = self.strings(scope, item, &path).unwrap_or_default();
                            references.extend(names.into_iter().map(|name| (name, item.span())));
                        }
                    }
                }
                other => {
                    let names = self.strings(scope, other, &path).unwrap_or_default();
                    references.extend(names.into_iter().map(|name| (name, other.span())));
                }
            }
            for (reference, span) in references {
                match find(sources, &reference) {
                    Some(source) => uses.push(Use { source, name: source.name.clone(), over: None }),
                    None => self.refuse(
                        scope.file,
                        span,
                        format!("there is no source `{reference}`"),
                        "A source is named by its type and its name: `source.amazon-ebs.web`.",
                    ),
                }
            }
        }
        for block in blocks.iter().filter(|block| block.name == "source") {
            let reference = block.labels.join(".");
            let Some(source) = find(sources, &reference) else {
                let span = Some(block.start..block.start + "source".len());
                let help = "A source is named by its type and its name: `source \"amazon-ebs.web\" {}`.";
                self.refuse(scope.file, span, format!("there is no source `{reference}`"), help);
                continue;
            };
            let path = format!("{}.source.{reference}", build.path);
            let named = block.body.get_attribute("name");
            let named = named.and_then(|named| self.string(&block.scope, &named.value, &key(&path, "name")));
            uses.push(Use {
                source,
                name: named.unwrap_or_else(|| source.name.clone()),
                over: Some(Over { body: block.body, scope: block.scope.with(Vec::new()), path }),
            });
        }
        for one in &uses {
            one.source.used.set(true);
        }
        uses
    }

    /// What a build says beside its sources and steps.
    fn others(&mut self, scope: &Scope, body: &Body, build: &Build, blocks: &[Nested]) {
        for attribute in body.attributes() {
            let path = key(&build.path, attribute.key.as_str());
            match attribute.key.as_str() {
                "sources" | "description" => {}
                "name" => self.changed(scope.file, &path, "images are called after their sources", ""),
                _ => self.unknown(scope.file, &path),
            }
        }
        for block in blocks {
            let path = key(&build.path, &block.name);
            match block.name.as_str() {
                "source" | "provisioner" | "post-processor" | "post-processors" => {}
                "error-cleanup-provisioner" => self.drop(
                    scope.file,
                    &path,
                    "a failed bake has no steps for cleaning up: its machine is gone",
                    "Give single steps `on-failure: continue` and a step behind them, where something outside has to be cleaned up.",
                ),
                "hcp_packer_registry" => self.drop(
                    scope.file,
                    &path,
                    "nothing is told to HCP Packer",
                    "`bake-report.json` says what was made; tags of the image say where it comes from.",
                ),
                _ => self.unknown(scope.file, &path),
            }
        }
    }

    /// A provisioner or post-processor as it is for one source; none when it is not for it.
    fn step(
        &mut self,
        block: &Nested,
        source: &(String, String),
        tree: &str,
        path: &str,
        names: Option<&BTreeSet<String>>,
    ) -> Option<Node> {
        let file = block.scope.file;
        let Some(kind) = block.labels.first() else {
            let span = Some(block.start..block.start + block.name.len());
            self.refuse(
                file,
                span,
                format!("the `{}` has no type", block.name),
                "Write it as a label behind the word.",
            );
            return None;
        };
        let mut scope = block.scope.with(Vec::new());
        scope.source = Some(source.clone());
        if !self.applies(&scope, block.body, source, path) {
            return None;
        }
        let name = self.file(file).to_owned();
        self.places.set(tree, &name, path);
        let mut members = vec![Member { key: "type".to_owned(), value: word(kind.as_str()) }];
        let comments = self.comments(file, block.start);
        if !comments.is_empty() {
            let lines = comments.into_iter().map(word).collect();
            put(&mut members, "_comment".to_owned(), Node::bare(Kind::List(lines)));
        }
        self.body(&scope, block.body, tree, path, &["only", "except"], &mut members);
        // An override is for the name that a source has in the build; others are told once.
        if let Some(member) = members.iter_mut().find(|member| member.key == "override")
            && let Kind::Map(entries) = &mut member.value.kind
        {
            let left: Vec<String> = entries
                .iter()
                .map(|entry| entry.key.clone())
                .filter(|key| names.is_none_or(|names| !names.contains(key)))
                .collect();
            entries.retain(|entry| entry.key == source.1);
            if entries.is_empty() {
                members.retain(|member| member.key != "override");
            }
            for name in left {
                let path = key(&key(path, "override"), &name);
                self.drop(file, &path, "the build has no source of this name", "");
            }
        }
        Some(Node::bare(Kind::Map(members)))
    }

    /// `only` and `except`
    fn applies(&mut self, scope: &Scope, body: &Body, source: &(String, String), path: &str) -> bool {
        let own = format!("{}.{}", source.0, source.1);
        let mut names = |name: &str| {
            let attribute = body.get_attribute(name)?;
            self.strings(scope, &attribute.value, &key(path, name)).filter(|names| !names.is_empty())
        };
        names("only").is_none_or(|only| only.contains(&own))
            && !names("except").is_some_and(|except| except.contains(&own))
    }

    /// Tells of steps that are for none of the build's sources.
    fn nobody(&mut self, blocks: &[Nested], uses: &[Use], build: &Build) {
        for (at, block) in blocks.iter().filter(|block| block.name == "provisioner").enumerate() {
            let path = format!("{}.provisioner[{at}]", build.path);
            let any = uses.iter().any(|one| {
                let own = (one.source.kind.clone(), one.name.clone());
                self.applies(&block.scope, block.body, &own, &path)
            });
            if !any {
                self.drop(
                    build.file,
                    &path,
                    "it runs on none of the build's sources",
                    "`only` and `except` take the type and the name: `amazon-ebs.web`.",
                );
            }
        }
    }
}

/// `source.amazon-ebs.web`, without quotes.
fn reference(expr: &Expression) -> Option<String> {
    let Expression::Traversal(traversal) = expr else { return None };
    let Expression::Variable(root) = &traversal.expr else { return None };
    if !matches!(root.as_str(), "source" | "sources") {
        return None;
    }
    let parts: Option<Vec<&str>> = traversal
        .operators
        .iter()
        .map(
            |operator| if let TraversalOperator::GetAttr(name) = operator.value() { Some(name.as_str()) } else { None },
        )
        .collect();
    Some(format!("source.{}", parts?.join(".")))
}

fn find<'s, 'b>(sources: &'s [Source<'b>], reference: &str) -> Option<&'s Source<'b>> {
    let own = reference.strip_prefix("source.").or_else(|| reference.strip_prefix("sources.")).unwrap_or(reference);
    let (kind, name) = own.split_once('.')?;
    sources.iter().find(|source| source.kind == kind && source.name == name)
}
