//! The message for a value of the wrong type.

use jsonschema::JsonType;
use jsonschema::error::TypeKind;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Span};
use crate::words;

const BOOLEAN: &str = "`true` or `false`";
const LIST: &str = "a list";

/// The finding that `name` at `span` is `instance`, which has none of the expected types.
pub(super) fn finding(name: &str, span: Span, instance: &Value, expected: &[&str]) -> Diagnostic {
    let wanted = words::plain_list(expected, "or");
    let found = match instance {
        Value::Null => return no_value(name, span, &wanted),
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => LIST,
        Value::Object(_) => "a map",
    };
    let finding = Diagnostic::error("wrong-type", span, format!("{name} must be {wanted}, not {found}"));
    match instance.as_str() {
        Some(word) if expected.contains(&BOOLEAN) => match word.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" | "1" => {
                finding.help("Write `true`: in YAML 1.2, words like yes and on are strings.")
            }
            "no" | "off" | "n" | "false" | "0" => {
                finding.help("Write `false`: in YAML 1.2, words like no and off are strings.")
            }
            _ => finding,
        },
        Some(word) if expected.iter().any(|name| is_number(name)) && word.parse::<f64>().is_ok() => {
            finding.help("Remove the quotes.")
        }
        _ if expected.contains(&LIST) && !instance.is_array() => {
            finding.help("Start each item with `- `, or write `[a, b]`.")
        }
        _ => finding,
    }
}

fn no_value(name: &str, span: Span, wanted: &str) -> Diagnostic {
    Diagnostic::error("wrong-type", span, format!("{name} has no value"))
        .help(format!("Set it to {wanted}, or remove the key."))
}

fn is_number(name: &str) -> bool {
    name == type_name(JsonType::Integer) || name == type_name(JsonType::Number)
}

/// The types that a schema expects, in words.
pub(super) fn type_names(kind: &TypeKind) -> Vec<&'static str> {
    match kind {
        TypeKind::Single(one) => vec![type_name(*one)],
        TypeKind::Multiple(many) => {
            let mut names = Vec::new();
            for one in many {
                let name = type_name(one);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            names
        }
    }
}

fn type_name(one: JsonType) -> &'static str {
    match one {
        JsonType::Null => "nothing",
        JsonType::Boolean => BOOLEAN,
        JsonType::Integer => "an integer",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => LIST,
        JsonType::Object => "a map",
    }
}
