//! Functions of encodings and digests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use super::{Arguments, Fault, Outcome, Piece, Text, Value};
use crate::hcl::evaluate::set;
use crate::hcl::value::number_text;

pub(super) fn call(all: &Arguments, name: &str) -> Option<Outcome<Value>> {
    let bytes = |make: &dyn Fn(&[u8]) -> String| all.string(0).map(|text| Value::text(make(text.as_bytes())));
    Some(match name {
        "jsonencode" => jsonencode(all),
        "jsondecode" => all.string(0).and_then(|text| {
            let parsed =
                serde_json::from_str(&text).map_err(|error| all.wrong(&format!("the JSON can't be read: {error}")))?;
            Ok(value(&parsed))
        }),
        "yamlencode" => all.settled(0).map(|settled| Value::text(yaml(&settled, 0) + "\n")),
        "yamldecode" => all.string(0).and_then(|text| {
            let parsed: serde_json::Value =
                serde_yaml::from_str(&text).map_err(|error| all.wrong(&format!("the YAML can't be read: {error}")))?;
            Ok(value(&parsed))
        }),
        "csvdecode" => Err(Fault::trouble("the function `csvdecode` has no counterpart")),
        "base64encode" => bytes(&|bytes| STANDARD.encode(bytes)),
        "base64decode" => all.string(0).and_then(|text| {
            let decoded = STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            decoded.map(Value::text).ok_or_else(|| all.wrong("this is no text in base64"))
        }),
        "sha256" => bytes(&|bytes| hex(&Sha256::digest(bytes))),
        "sha512" => bytes(&|bytes| hex(&Sha512::digest(bytes))),
        "base64sha256" => bytes(&|bytes| STANDARD.encode(Sha256::digest(bytes))),
        "base64sha512" => bytes(&|bytes| STANDARD.encode(Sha512::digest(bytes))),
        "urlencode" => bytes(&url),
        _ => return None,
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn url(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(b) => char::from(*b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// A value of HCL of one of JSON.
pub(in crate::hcl) fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or_default()),
        serde_json::Value::String(text) => Value::text(text.as_str()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(entries) => {
            let mut map = Vec::new();
            entries.iter().for_each(|(key, inner)| set(&mut map, key.clone(), value(inner)));
            Value::Map(map)
        }
    }
}

/// JSON that keeps its variables, where their values mean nothing to JSON.
fn jsonencode(all: &Arguments) -> Outcome<Value> {
    let mut out = Text::default();
    encode(all, all.get(0)?, &mut out)?;
    Ok(Value::Text(out))
}

fn encode(all: &Arguments, value: &Value, out: &mut Text) -> Outcome<()> {
    match value {
        Value::Text(text) if text.literal().is_none() => {
            let odd = |known: &str| known.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '<' | '>' | '&'));
            let keeps = text.0.iter().all(|piece| match piece {
                Piece::Live(live) => !live.secret && live.known.as_deref().is_none_or(|known| !odd(known)),
                _ => true,
            });
            let typed = text.single().is_some_and(|live| live.scalar != super::Scalar::Text);
            if typed || !keeps {
                return encode(all, &all.scope.settle(value)?, out);
            }
            out.extend(Text::plain("\""));
            for piece in &text.0 {
                match piece {
                    Piece::Plain(plain) => {
                        let quoted = json(&Value::text(plain.as_str()));
                        out.extend(Text::plain(&quoted[1..quoted.len() - 1]));
                    }
                    other => out.extend(Text(vec![other.clone()])),
                }
            }
            out.extend(Text::plain("\""));
        }
        Value::List(items) => {
            out.extend(Text::plain("["));
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.extend(Text::plain(","));
                }
                encode(all, item, out)?;
            }
            out.extend(Text::plain("]"));
        }
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            out.extend(Text::plain("{"));
            for (at, (key, inner)) in entries.into_iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                out.extend(Text::plain(format!("{comma}{}:", json(&Value::text(key.as_str())))));
                encode(all, inner, out)?;
            }
            out.extend(Text::plain("}"));
        }
        other => out.extend(Text::plain(json(other))),
    }
    Ok(())
}

/// JSON of a settled value, with sorted keys and Go's escapes.
pub(super) fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number_text(*number),
        Value::Text(text) => {
            let quoted = serde_json::Value::String(text.literal().unwrap_or_default()).to_string();
            quoted.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
        }
        Value::List(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let one = |(key, value): &(String, Value)| format!("{}:{}", json(&Value::text(key.as_str())), json(value));
            format!("{{{}}}", entries.into_iter().map(one).collect::<Vec<_>>().join(","))
        }
    }
}

/// YAML of a settled value in block style, its texts in quotes as Packer's own has them.
fn yaml(value: &Value, depth: usize) -> String {
    let space = "  ".repeat(depth);
    let below = |value: &Value| match value {
        Value::List(items) if !items.is_empty() => format!("\n{}", yaml(value, depth)),
        Value::Map(entries) if !entries.is_empty() => format!("\n{}", yaml(value, depth + 1)),
        other => format!(" {}", json(other)),
    };
    match value {
        Value::List(items) if !items.is_empty() => items
            .iter()
            .map(|item| match item {
                Value::List(inner) if inner.is_empty() => format!("{space}- []"),
                Value::Map(inner) if inner.is_empty() => format!("{space}- {{}}"),
                Value::List(_) | Value::Map(_) => format!("{space}- {}", yaml(item, depth + 1).trim_start()),
                other => format!("{space}- {}", json(other)),
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Value::Map(entries) if !entries.is_empty() => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let one = |(key, value): &(String, Value)| {
                format!("{space}{}:{}", json(&Value::text(key.as_str())), below(value))
            };
            entries.into_iter().map(one).collect::<Vec<_>>().join("\n")
        }
        other => json(other),
    }
}
