//! Converts scalars that YAML does not read as strings, where the schema requires a string. If the text would change,
//! it is an error.

use ami_bake_core::Route;
use serde_json::Value;

use super::SchemaValidator;
use crate::diagnostic::{Diagnostic, Span};
use crate::tree::{Kind, Meaning, Node, Scalar};

/// Converts numbers and booleans to strings where the schema only allows strings.
pub(crate) fn coerce(validator: &SchemaValidator, node: &mut Node, findings: &mut Vec<Diagnostic>) {
    let mut walk = Walk { root: validator.schema(), findings };
    let mut schemas = Vec::new();
    walk.expand(validator.schema(), &mut schemas);
    walk.visit(node, &schemas, &Route::root());
}

/// Reports every scalar of a tree whose text YAML would change.
pub(crate) fn literal(node: &Node, findings: &mut Vec<Diagnostic>) {
    match &node.kind {
        Kind::Map(entries) => entries.iter().for_each(|entry| literal(&entry.value, findings)),
        Kind::List(items) => items.iter().for_each(|item| literal(item, findings)),
        Kind::Scalar(scalar) => {
            if scalar.meaning != Meaning::Null && !scalar.survives() {
                findings.push(changed(scalar, node.span, true));
            }
        }
    }
}

/// Converts numbers and booleans of an evaluated value to strings where the schema only allows strings.
pub(crate) fn soften(validator: &SchemaValidator, value: &mut Value) {
    let walk = Walk { root: validator.schema(), findings: &mut Vec::new() };
    let mut schemas = Vec::new();
    walk.expand(validator.schema(), &mut schemas);
    walk.soften(value, &schemas);
}

struct Walk<'a, 'f> {
    root: &'a Value,
    findings: &'f mut Vec<Diagnostic>,
}

impl<'a> Walk<'a, '_> {
    /// All schemas that a schema refers to, with references and alternatives expanded.
    fn expand(&self, schema: &'a Value, into: &mut Vec<&'a Value>) {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
            && let Some(target) = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer))
        {
            self.expand(target, into);
        }
        for key in ["anyOf", "oneOf"] {
            for choice in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.expand(choice, into);
            }
        }
        if ["type", "properties", "items", "enum"].iter().any(|key| schema.get(*key).is_some())
            || schema == &Value::Bool(true)
        {
            into.push(schema);
        }
    }

    fn visit(&mut self, node: &mut Node, schemas: &[&'a Value], route: &Route) {
        let span = node.span;
        match &mut node.kind {
            Kind::Map(entries) => {
                for entry in entries {
                    let mut children = Vec::new();
                    for schema in schemas {
                        let own = schema.get("properties").and_then(|properties| properties.get(&entry.key));
                        if let Some(child) = own.or_else(|| schema.get("additionalProperties")) {
                            self.expand(child, &mut children);
                        }
                    }
                    self.visit(&mut entry.value, &children, &route.key(entry.key.as_str()));
                }
            }
            Kind::List(items) => {
                let mut children = Vec::new();
                for schema in schemas {
                    if let Some(child) = schema.get("items") {
                        self.expand(child, &mut children);
                    }
                }
                for (index, item) in items.iter_mut().enumerate() {
                    self.visit(item, &children, &route.index(index));
                }
            }
            Kind::Scalar(scalar) => {
                let names: &[&str] = match scalar.meaning {
                    Meaning::Null | Meaning::Text => return,
                    Meaning::Boolean(_) => &["boolean"],
                    Meaning::Integer(_) => &["integer", "number"],
                    Meaning::Float(_) => &["number"],
                };
                let text = takes(schemas, &["string"]);
                let own = takes(schemas, names);
                if schemas.is_empty() || !text && !own {
                    return;
                }
                if !scalar.survives() {
                    self.findings.push(changed(scalar, span, text).route(route.clone()));
                }
                if !own {
                    scalar.meaning = Meaning::Text;
                }
            }
        }
    }

    /// Like `visit`, for values of expressions.
    fn soften(&self, value: &mut Value, schemas: &[&'a Value]) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let mut children = Vec::new();
                    for schema in schemas {
                        let own = schema.get("properties").and_then(|properties| properties.get(key));
                        if let Some(child) = own.or_else(|| schema.get("additionalProperties")) {
                            self.expand(child, &mut children);
                        }
                    }
                    // An expression without a value is the empty string, as in GitHub's `env`; an optional field stays
                    // unset.
                    let field = schemas
                        .iter()
                        .any(|schema| schema.pointer("/properties").is_some_and(|keys| keys.get(key).is_some()));
                    if value.is_null() && !field && takes(&children, &["string"]) {
                        *value = "".into();
                    }
                    self.soften(value, &children);
                }
            }
            Value::Array(items) => {
                let mut children = Vec::new();
                for schema in schemas {
                    if let Some(child) = schema.get("items") {
                        self.expand(child, &mut children);
                    }
                }
                for item in items {
                    self.soften(item, &children);
                }
            }
            Value::Number(_) if takes(schemas, &["string"]) && !takes(schemas, &["integer", "number"]) => {
                *value = value.to_string().into();
            }
            Value::Bool(_) if takes(schemas, &["string"]) && !takes(schemas, &["boolean"]) => {
                *value = value.to_string().into();
            }
            _ => {}
        }
    }
}

/// The error for a scalar whose text YAML would change.
fn changed(scalar: &Scalar, span: Span, text: bool) -> Diagnostic {
    let shown = scalar.to_json();
    let finding = Diagnostic::error("unquoted", span, format!("YAML reads `{}` as the value `{shown}`", scalar.text));
    if text {
        return finding.help(format!("Quote it: \"{}\"", scalar.text));
    }
    finding.help(format!("Write `{shown}`."))
}

fn takes(schemas: &[&Value], names: &[&str]) -> bool {
    schemas.iter().any(|schema| match schema.get("type") {
        Some(Value::String(name)) => names.contains(&name.as_str()),
        Some(Value::Array(types)) => types.iter().any(|name| name.as_str().is_some_and(|name| names.contains(&name))),
        _ => schema.get("properties").is_none() && schema.get("items").is_none(),
    })
}
