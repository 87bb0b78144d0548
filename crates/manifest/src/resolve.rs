//! Evaluates the expressions of a tree.

use std::cell::Cell;

use ami_bake_core::{Route, Segment};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, MOST_FINDINGS, Sources, Span};
use crate::expression::{Expr, ExprKind, Piece, Scope, Template, evaluate, locate, text, truth};
use crate::secret::SECRET;
use crate::tree::{Kind, Meaning, Node};

/// Evaluates the expressions of a tree.
pub(crate) struct Resolver<'a> {
    sources: &'a Sources,
    scope: &'a Scope,
    shaped: Cell<bool>,
    private: Cell<bool>,
    kept: Kept,
}

/// The expressions that stay expressions, between marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Only secrets, by name.
    Secrets,
    /// What must not be shown: secrets and private values; with `source`, also what the source is needed for.
    Hidden { source: bool },
}

impl<'a> Resolver<'a> {
    /// A resolver with the names of `scope`.
    pub(crate) fn plain(sources: &'a Sources, scope: &'a Scope) -> Self {
        Self { sources, scope, shaped: Cell::new(false), private: Cell::new(false), kept: Kept::Secrets }
    }

    /// A resolver for a manifest that is printed: what must not be shown stays an expression, whose text is between marks.
    /// Without a known source, so does what depends on it.
    pub(crate) fn printing(sources: &'a Sources, scope: &'a Scope, is_source_known: bool) -> Self {
        Self { kept: Kept::Hidden { source: !is_source_known }, ..Self::plain(sources, scope) }
    }

    /// Whether an expression stays an expression.
    fn keeps(&self, expr: &Expr) -> bool {
        let Kept::Hidden { source } = self.kept else { return false };
        expr.secret().is_some() || self.scope.is_private(expr) || source && expr.reads("source")
    }

    /// Whether an expression's value still has to be validated by the schema, which only saw the expression's text.
    pub(crate) fn has_shaped(&self) -> bool {
        self.shaped.get()
    }

    /// Whether a value depends on a file or the environment.
    pub(crate) fn has_private(&self) -> bool {
        self.private.get()
    }

    /// Evaluates a tree whose position does not matter.
    pub(crate) fn value(&self, node: &Node, findings: &mut Vec<Diagnostic>) -> Value {
        self.at(node, &Route::root(), findings)
    }

    /// Evaluates the tree at a route.
    pub(crate) fn at(&self, node: &Node, route: &Route, findings: &mut Vec<Diagnostic>) -> Value {
        match &node.kind {
            Kind::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), self.at(&entry.value, &route.key(entry.key.as_str()), findings)))
                .collect(),
            Kind::List(items) => {
                items.iter().enumerate().map(|(index, item)| self.at(item, &route.index(index), findings)).collect()
            }
            Kind::Scalar(scalar) if scalar.meaning == Meaning::Text => {
                if scalar.text.contains(SECRET) {
                    findings.push(
                        Diagnostic::error("nul", node.span, "the string contains a NUL character")
                            .help("Remove the \\0: scripts, paths and environment variables cannot contain it.")
                            .route(route.clone()),
                    );
                }
                if !Template::is_one(&scalar.text) {
                    return scalar.text.as_str().into();
                }
                match Template::parse(&scalar.text) {
                    Ok(template) => {
                        if !is_code(route) && !is_free(route) {
                            self.shaped.set(true);
                        }
                        self.template(node.span, &scalar.text, &template, route, findings)
                    }
                    // Syntax errors have been reported before.
                    Err(_) => Value::Null,
                }
            }
            Kind::Scalar(scalar) => scalar.to_json(),
        }
    }

    /// Evaluates an `if`; a missing one is true.
    pub(crate) fn condition(&self, node: Option<&Node>, route: &Route, findings: &mut Vec<Diagnostic>) -> bool {
        let Some(node) = node else { return true };
        let Some(words) = node.as_text() else { return truth(&node.to_json()) };
        match Template::condition(words) {
            Ok(template) => truth(&self.template(node.span, words, &template, route, findings)),
            Err(_) => true,
        }
    }

    fn template(
        &self,
        span: Span,
        whole: &str,
        template: &Template,
        route: &Route,
        findings: &mut Vec<Diagnostic>,
    ) -> Value {
        let code = is_code(route);
        let mut out = String::new();
        // With too many errors, evaluation stops.
        if findings.len() > MOST_FINDINGS {
            return Value::Null;
        }
        for piece in &template.pieces {
            let (outer, inner, expr) = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Expr { outer, inner, expr } => (outer, inner, expr),
            };
            if self.keeps(expr) {
                out.push(SECRET);
                out.push_str(whole.get(inner.clone()).unwrap_or_default().trim());
                out.push(SECRET);
                continue;
            }
            if let Some((name, _)) = expr.secret() {
                out.push(SECRET);
                out.push_str(name);
                out.push(SECRET);
                continue;
            }
            let value = match evaluate(expr, self.scope) {
                Ok(value) => value,
                Err(error) => {
                    let range = inner.start + error.range.start..inner.start + error.range.end;
                    let at = locate(self.sources, span, whole, range);
                    findings.push(Diagnostic::error("expression", at, error.message).route(route.clone()));
                    continue;
                }
            };
            let private = self.scope.is_private(expr);
            if private {
                self.private.set(true);
                self.scope.private.add_all(&value, whole.get(outer.clone()).unwrap_or("…"));
            }
            // A value that is the entire user data is data, not part of a script.
            if template.single && (!code || is_data(route)) {
                return value;
            }
            let at = || locate(self.sources, span, whole, outer.clone());
            let Some(words) = text(&value) else {
                let what = if value.is_array() { "a list" } else { "a map" };
                findings.push(
                    Diagnostic::error("expression", at(), format!("{what} cannot be inserted into a string"))
                        .help("Convert it with `join(list, ',')`, or use one of its members.")
                        .route(route.clone()),
                );
                continue;
            };
            // A text literal in the expression was written by the author of the script.
            let own = matches!(expr.kind, ExprKind::Text(_));
            if code && !own && !words.chars().all(is_safe) {
                let source = whole.get(inner.clone()).unwrap_or("").trim();
                findings.push(splice(at(), source, words.chars().find(|c| !private && !is_safe(*c)), route));
            }
            if words.contains(SECRET) {
                findings
                    .push(Diagnostic::error("nul", at(), "the value contains a NUL character").route(route.clone()));
                continue;
            }
            out.push_str(&words);
        }
        out.into()
    }
}

/// Characters that no shell interprets (docs/dev/manifest.md, "Expressions").
fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | ':' | '@' | '+' | ',' | '=' | '-')
}

/// The error for an unsafe value in code; `odd` is the character to show.
fn splice(at: Span, source: &str, odd: Option<char>, route: &Route) -> Diagnostic {
    let odd = odd.map_or_else(|| "a character".to_owned(), |odd| format!("{:?}", odd.to_string()));
    let name: String = source
        .rsplit(['.', ' '])
        .next()
        .unwrap_or("VALUE")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-')
        .collect();
    let name = name.to_ascii_uppercase().replace('-', "_");
    let name =
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) { "VALUE".to_owned() } else { name };
    Diagnostic::error("unsafe-splice", at, format!("the value of `{source}` contains {odd}, which the shell would interpret"))
        .label("inserted into code unquoted")
        .help(format!("Pass it as an environment variable: add `env: {{{name}: \"${{{{ {source} }}}}\"}}` to the step and write \"${name}\" in the script."))
        .route(route.clone())
}

/// Whether the route is a value of `env`, which may be any text.
fn is_free(route: &Route) -> bool {
    matches!(route.0.as_slice(), [.., Segment::Key(above), Segment::Key(_)] if above == "env")
}

/// Whether the route is user data, which may be anything: a script, a cloud-config, an archive.
fn is_data(route: &Route) -> bool {
    matches!(route.0.as_slice(), [.., Segment::Key(above), Segment::Key(last)] if above == "machine" && last == "user-data")
}

/// Whether the route's text becomes code: scripts, commands, user data.
fn is_code(route: &Route) -> bool {
    let mut keys = route.0.iter().rev().filter_map(|segment| match segment {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Index(_) => None,
    });
    let last = keys.next().unwrap_or_default();
    let above = keys.next().unwrap_or_default();
    match last {
        "run" => !matches!(above, "env" | "vars" | "with" | "tags"),
        "command" => matches!(above, "wait" | "expect"),
        "user-data" => above == "machine",
        _ => false,
    }
}
