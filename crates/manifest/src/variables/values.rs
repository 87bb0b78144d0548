//! Values of variables, in ascending precedence: default, environment, `--var-file`, `AMI_BAKE_VAR_name`, `--set`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::access::{FileAccess, FileError, PREFIX};
use crate::diagnostic::{Diagnostic, Sources, Span};
use crate::expression::Scope;
use crate::options::Options;
use crate::resolve::Resolver;
use crate::schema::literal;
use crate::tree::{self, Node};
use crate::words;

/// Placeholder for a variable without a value: in `check`, and if no selected image needs the variable.
const STAND_IN: &str = "given-later";

/// The error for a variable without a value that the selected images need.
pub(crate) fn not_given(name: &str, declared: Option<&Node>) -> Diagnostic {
    let span = declared.and_then(|declared| declared.entry(name)).map(|entry| entry.key_span);
    Diagnostic::error("variable-not-given", span, format!("the variable `{name}` is not set"))
        .help(format!("Set it with `--set {name}=VALUE`, {PREFIX}{name}, a --var-file, or an --environment."))
}

/// The variables of a manifest.
pub(crate) struct Variables {
    /// The value of every declared variable.
    pub(crate) values: Map<String, Value>,
    /// Names of variables without a value.
    pub(crate) missing: Vec<String>,
    /// Names of variables whose value comes from a file or the environment.
    pub(crate) private: BTreeSet<String>,
}

/// The value of every declared variable.
///
/// `declared` is `vars` of the file, `effective` the same with the environment merged over it.
pub(crate) fn variables(
    declared: Option<&Node>,
    effective: Option<&Node>,
    scope: &Scope,
    options: &Options,
    sources: &mut Sources,
    findings: &mut Vec<Diagnostic>,
) -> Variables {
    let mut values = Map::new();
    let mut private = BTreeSet::new();
    for entry in effective.map(Node::entries).unwrap_or_default() {
        if declared.and_then(|declared| declared.get(&entry.key)).is_none() {
            findings.push(unknown(&entry.key, declared, "the environment sets", Some(entry.key_span)));
            continue;
        }
        let resolver = Resolver::plain(sources, scope);
        let value = resolver.value(&entry.value, findings);
        if resolver.has_private() {
            private.insert(entry.key.clone());
        }
        values.insert(entry.key.clone(), value);
    }
    let mut overrides =
        Overrides { declared, values: &mut values, private: &mut private, findings, allowed: &options.allow_files };
    for path in &options.var_files {
        overrides.file(path, sources);
    }
    for (name, value) in options.env.visible() {
        if let Some(variable) = name.strip_prefix(PREFIX) {
            // Names of environment variables cannot contain `-`.
            let dashed = variable.replace('_', "-");
            let known =
                declared.is_some_and(|declared| declared.get(variable).is_none() && declared.get(&dashed).is_some());
            let variable = if known { &dashed } else { variable };
            overrides.text(variable, value, &format!("the variable {name} sets"), true);
        }
    }
    for (name, value) in &options.sets {
        overrides.text(name, value, "--set sets", false);
    }
    for (name, value) in values.iter().filter(|(name, _)| private.contains(*name)) {
        scope.private.add_all(value, &format!("vars.{name}"));
    }
    let missing: Vec<String> =
        values.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone()).collect();
    for name in &missing {
        values.insert(name.clone(), STAND_IN.into());
    }
    Variables { values, missing, private }
}

/// A list given as text: JSON, or entries separated by lines, else by commas. Entries get the common type of the
/// default's entries.
fn list(text: &str, default: &[Value]) -> Option<Value> {
    let text = text.trim();
    if text.starts_with('[') {
        return serde_json::from_str::<Value>(text).ok().filter(Value::is_array);
    }
    let separator = if text.contains('\n') { '\n' } else { ',' };
    let entries = text.split(separator).map(str::trim).filter(|entry| !entry.is_empty());
    let typed = |entry: &str| match default.first() {
        Some(Value::Number(_)) => serde_json::from_str::<serde_json::Number>(entry).ok().map(Value::Number),
        Some(Value::Bool(_)) => entry.parse::<bool>().ok().map(Value::from),
        // Maps and lists can only be given as JSON.
        Some(Value::Object(_) | Value::Array(_)) => None,
        Some(Value::String(_) | Value::Null) | None => Some(Value::from(entry)),
    };
    entries.map(typed).collect::<Option<Vec<_>>>().map(Value::Array)
}

struct Overrides<'a> {
    declared: Option<&'a Node>,
    values: &'a mut Map<String, Value>,
    private: &'a mut BTreeSet<String>,
    findings: &'a mut Vec<Diagnostic>,
    /// The values of `--allow-files`.
    allowed: &'a [PathBuf],
}

impl Overrides<'_> {
    /// Reads a variable file: a YAML or JSON map.
    fn file(&mut self, path: &std::path::Path, sources: &mut Sources) {
        let shown = path.display().to_string();
        if let Err(FileError::Forbidden { message, help }) = FileAccess::check_named(path, self.allowed) {
            self.findings.push(Diagnostic::error("file-not-allowed", None, message).help(help));
            return;
        }
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.findings.push(Diagnostic::error(
                    "var-file",
                    None,
                    format!("could not read the variable file {shown}: {error}"),
                ));
                return;
            }
        };
        let file = sources.add_private(shown, text.as_str());
        let Some(tree) = tree::parse(file, &text, self.findings) else {
            return;
        };
        if !matches!(tree.kind, tree::Kind::Map(_)) {
            self.findings.push(Diagnostic::error(
                "var-file",
                tree.span,
                "a variable file must be a map of names and values",
            ));
        }
        for entry in tree.entries() {
            if !self.values.contains_key(&entry.key) {
                self.findings.push(unknown(&entry.key, self.declared, "the file sets", Some(entry.key_span)));
                continue;
            }
            literal(&entry.value, self.findings);
            self.private.insert(entry.key.clone());
            self.values.insert(entry.key.clone(), entry.value.to_json());
        }
    }

    /// Sets a value that is given as text. It is converted to the type of the default.
    fn text(&mut self, name: &str, text: &str, who: &str, private: bool) {
        let Some(value) = self.values.get(name) else {
            self.findings.push(unknown(name, self.declared, who, None));
            return;
        };
        let typed = match value {
            Value::Null | Value::String(_) => Some(Value::from(text)),
            Value::Bool(_) => text.parse::<bool>().ok().map(Value::from),
            Value::Number(_) => serde_json::from_str::<serde_json::Number>(text).ok().map(Value::Number),
            Value::Array(items) => list(text, items),
            Value::Object(_) => serde_json::from_str::<Value>(text).ok().filter(Value::is_object),
        };
        let Some(typed) = typed else {
            let (wanted, help) = match value {
                Value::Bool(_) => ("`true` or `false`", "The default is a boolean."),
                Value::Number(_) => ("a number", "The default is a number."),
                Value::Array(_) => {
                    ("a list", "Separate its entries by commas or lines, or write it like [\"a\", \"b\"].")
                }
                _ => ("a JSON map", "Write it like {\"a\": 1}."),
            };
            let finding = Diagnostic::error(
                "variable",
                None,
                if private {
                    format!("{who} the variable `{name}`, but not to {wanted}")
                } else {
                    format!("{who} the variable `{name}` to `{text}`, but it must be {wanted}")
                },
            );
            self.findings.push(finding.help(help));
            return;
        };
        if private {
            self.private.insert(name.to_owned());
        } else {
            self.private.remove(name);
        }
        self.values.insert(name.to_owned(), typed);
    }
}

/// The error for an undeclared variable; `who` ends with the verb: "the environment sets".
fn unknown(name: &str, declared: Option<&Node>, who: &str, span: Option<Span>) -> Diagnostic {
    let known: Vec<&str> =
        declared.map(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.as_str()).collect();
    let finding = Diagnostic::error("unknown-variable", span, format!("{who} the undeclared variable `{name}`"));
    finding.help(match words::near(name, known.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None if known.is_empty() => "Declare variables below `vars`.".to_owned(),
        None => format!("Declared: {}.", words::list(&known, "and")),
    })
}
