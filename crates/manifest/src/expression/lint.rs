//! Validates all expressions of a manifest without evaluating them.

use std::collections::BTreeSet;

use ami_bake_core::{Route, Segment};

use super::names::{AllowedNames, Names, Stage, check_access};
use super::tree::Expr;
use super::{Piece, Template};
use crate::access::VisibleEnv;
use crate::diagnostic::{Diagnostic, MOST_FINDINGS, Sources, Span};
use crate::model::STEP_TYPES;
use crate::tree::{Kind, Meaning, Node};
use crate::words;

/// Walks a manifest and validates its expressions.
pub(crate) struct Lint<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) names: Names,
    pub(crate) findings: &'a mut Vec<Diagnostic>,
}

/// Validates all expressions of a manifest.
pub(crate) fn lint(root: &Node, sources: &Sources, env: &VisibleEnv, findings: &mut Vec<Diagnostic>) {
    let mut names = Names {
        vars: keys(find(root, "vars")),
        secrets: texts(find(root, "secrets")),
        matrix: BTreeSet::new(),
        env: env.clone(),
    };
    for environment in root.get("environments").map(Node::entries).unwrap_or_default() {
        names.secrets.extend(texts(environment.value.get("secrets")));
    }
    let mut lint = Lint { sources, names, findings };
    lint.document(root, &Route::root());
}

fn keys(node: Option<&Node>) -> BTreeSet<String> {
    node.map(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.clone()).collect()
}

/// Keys of the manifest and of an image that have special rules.
const DOCUMENT: [&str; 5] = ["defaults", "environments", "images", "secrets", "vars"];
const IMAGE: [&str; 7] = ["source", "matrix", "if", "platforms", "build", "validate", "test"];

/// The password of `connect: {as: …}` and the key of `test-connect`.
fn is_credential(route: &Route) -> bool {
    match route.0.as_slice() {
        [.., Segment::Key(connect), Segment::Key(login), Segment::Key(key)] if connect == "connect" => {
            login == "as" && key == "password"
        }
        [.., Segment::Key(above), Segment::Key(key)] => above == "test-connect" && key == "key",
        _ => false,
    }
}

/// The correct key for a mistyped one, so that the typo is reported once, without its consequences.
fn meant<'a>(key: &'a str, keys: &'a [&'a str]) -> &'a str {
    words::near(key, keys.iter().copied()).unwrap_or(key)
}

/// The value of a key, mistyped or not.
fn find<'a>(root: &'a Node, key: &str) -> Option<&'a Node> {
    root.entries().iter().find(|entry| meant(&entry.key, &DOCUMENT) == key).map(|entry| &entry.value)
}

fn texts(node: Option<&Node>) -> BTreeSet<String> {
    node.map(Node::items).unwrap_or_default().iter().filter_map(Node::as_text).map(str::to_owned).collect()
}

impl Lint<'_> {
    fn document(&mut self, root: &Node, route: &Route) {
        let shared = keys(root.get("defaults").and_then(|defaults| defaults.get("matrix")));
        let images = find(root, "images").map(Node::entries).unwrap_or_default();
        for entry in root.entries() {
            let route = route.key(entry.key.as_str());
            match meant(&entry.key, &DOCUMENT) {
                "environments" => {
                    for environment in entry.value.entries() {
                        self.document(&environment.value, &route.key(environment.key.as_str()));
                    }
                }
                "images" => {
                    for image in images {
                        self.names.matrix.clone_from(&shared);
                        self.names.matrix.extend(keys(image.value.get("matrix")));
                        self.image(&image.value, &route.key(image.key.as_str()));
                    }
                }
                "defaults" => {
                    self.names.matrix.clone_from(&shared);
                    for image in images {
                        self.names.matrix.extend(keys(image.value.get("matrix")));
                    }
                    self.image(&entry.value, &route);
                }
                key => {
                    let allowed = AllowedNames { stage: Stage::File, secrets: false, vars: key != "vars" };
                    self.walk(&entry.value, &route, allowed);
                }
            }
        }
    }

    fn image(&mut self, image: &Node, route: &Route) {
        for entry in image.entries() {
            let route = route.key(entry.key.as_str());
            let key = meant(&entry.key, &IMAGE);
            let early = matches!(key, "source" | "matrix" | "if" | "platforms");
            let stage = if early { Stage::Image } else { Stage::Planned };
            let allowed = AllowedNames { stage, secrets: false, vars: true };
            match key {
                "if" => self.condition(&entry.value, &route, allowed),
                "build" | "validate" | "test" => {
                    for (index, step) in entry.value.items().iter().enumerate() {
                        self.step(step, &route.index(index), allowed);
                    }
                }
                _ => self.walk(&entry.value, &route, allowed),
            }
        }
    }

    fn step(&mut self, step: &Node, route: &Route, allowed: AllowedNames) {
        for entry in step.entries() {
            let own =
                || STEP_TYPES.iter().filter(|known| step.get(known.key).is_some()).flat_map(|known| known.secrets);
            let secrets = entry.key == "env" || own().any(|key| *key == entry.key);
            let allowed = AllowedNames { secrets, ..allowed };
            let route = route.key(entry.key.as_str());
            if entry.key == "if" {
                self.condition(&entry.value, &route, allowed);
            } else {
                self.walk(&entry.value, &route, allowed);
            }
        }
    }

    fn walk(&mut self, node: &Node, route: &Route, allowed: AllowedNames) {
        match &node.kind {
            Kind::Map(entries) => {
                for entry in entries {
                    let route = route.key(entry.key.as_str());
                    if entry.key == "if" && is_condition(&route) {
                        self.condition(&entry.value, &route, allowed);
                    } else {
                        let login =
                            entry.key == "login" && route.parent().0.last() == Some(&Segment::Key("docker".to_owned()));
                        let secrets = allowed.secrets || login || is_credential(&route);
                        self.walk(&entry.value, &route, AllowedNames { secrets, ..allowed });
                    }
                }
            }
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(item, &route.index(index), allowed);
                }
            }
            Kind::Scalar(scalar) => {
                if scalar.meaning == Meaning::Text && Template::is_one(&scalar.text) {
                    self.template(node.span, &scalar.text, Template::parse(&scalar.text), route, allowed);
                }
            }
        }
    }

    fn condition(&mut self, node: &Node, route: &Route, allowed: AllowedNames) {
        if let Some(text) = node.as_text() {
            self.template(node.span, text, Template::condition(text), route, allowed);
        }
    }

    fn template(
        &mut self,
        span: Span,
        text: &str,
        template: Result<Template, Vec<super::error::SyntaxError>>,
        route: &Route,
        allowed: AllowedNames,
    ) {
        if self.findings.len() > MOST_FINDINGS {
            return;
        }
        let template = match template {
            Ok(template) => template,
            Err(errors) => {
                for error in errors {
                    let at = locate(self.sources, span, text, error.range);
                    let mut finding = Diagnostic::error(error.code, at, error.message).route(route.clone());
                    finding.help = error.help;
                    self.findings.push(finding);
                }
                return;
            }
        };
        for piece in &template.pieces {
            let Piece::Expr { inner, expr, .. } = piece else { continue };
            let secret_alone = expr.secret().is_some();
            let mut wrongs = Vec::new();
            let mut mixed = None;
            expr.accesses(&mut |access: &Expr| match check_access(access, &self.names, allowed) {
                Some(wrong) => wrongs.push(wrong),
                None if access.member().is_some_and(|(context, _)| context.eq_ignore_ascii_case("secrets"))
                    && !secret_alone =>
                {
                    mixed = Some(access.range.clone());
                }
                None => {}
            });
            let at = |range: std::ops::Range<usize>| {
                locate(self.sources, span, text, inner.start + range.start..inner.start + range.end)
            };
            for wrong in wrongs {
                self.findings.push(
                    Diagnostic::error(wrong.code, at(wrong.range), wrong.message).help(wrong.help).route(route.clone()),
                );
            }
            if let Some(range) = mixed {
                self.findings.push(
                    Diagnostic::error("secret-not-here", at(range), "a secret cannot be part of a larger expression")
                        .help("Write `${{ secrets.NAME }}` on its own, with text around it if needed, or `${{ secrets.NAME || '' }}` if it may be unset. Its value is not known before the step runs.")
                        .route(route.clone()),
                );
            }
        }
    }
}

/// Whether the route is the `if` of `publish` or of an entry of `deploy`.
fn is_condition(route: &Route) -> bool {
    match route.parent().0.as_slice() {
        [.., Segment::Key(key)] => key == "publish",
        [.., Segment::Key(key), Segment::Index(_)] => key == "deploy",
        _ => false,
    }
}

/// The span of a range in a scalar's text. Folding and escapes shift offsets, so the text is searched for.
pub(crate) fn locate(sources: &Sources, span: Span, text: &str, range: std::ops::Range<usize>) -> Span {
    let source = sources.slice(span);
    let line_start = text[..range.start.min(text.len())].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[range.start.min(text.len())..].find('\n').map_or(text.len(), |at| range.start + at);
    let line = &text[line_start..line_end];
    // The same line may occur more than once: use the occurrence with as many equal lines before it.
    let earlier = text[..line_start].matches(line).count();
    let Some((at, _)) = source.match_indices(line).nth(earlier).or_else(|| source.match_indices(line).next()) else {
        return span;
    };
    let start = at + (range.start - line_start);
    let end = (at + (range.end.max(range.start) - line_start)).min(at + line.len()).max(start);
    let offset = |at: usize| span.start + u32::try_from(at).unwrap_or(0);
    Span { file: span.file, start: offset(start), end: offset(end) }
}
