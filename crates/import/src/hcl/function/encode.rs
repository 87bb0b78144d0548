//! Functions for encodings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha512};

use ami_bake_manifest::diagnostic::{Diagnostic, FileId, Sources};
use ami_bake_manifest::tree::{self, Node};

use super::arguments::Arguments;
use crate::hcl::error::EvalResult;
use crate::hcl::value::{HclValue, Scalar, Text, TextPart};

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    let bytes = |make: &dyn Fn(&[u8]) -> String| all.string(0).map(|text| HclValue::text(make(text.as_bytes())));
    Some(match name {
        "jsonencode" => jsonencode(all),
        "jsondecode" => decode(all, tree::parse_json, "JSON"),
        "yamlencode" => all.settled(0).map(|settled| HclValue::text(yaml(&settled, 0) + "\n")),
        "yamldecode" => decode(all, tree::parse, "YAML"),
        "base64encode" => bytes(&|bytes| STANDARD.encode(bytes)),
        "base64decode" => all.string(0).and_then(|text| {
            let decoded = STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            decoded.map(HclValue::text).ok_or_else(|| all.invalid("not text in base64"))
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

/// A parser of documents.
type Parse = fn(FileId, &str, &mut Vec<Diagnostic>) -> Option<Node>;

fn decode(all: &Arguments, parse: Parse, format: &str) -> EvalResult<HclValue> {
    let text = all.string(0)?;
    let file = Sources::default().add("", text.as_str());
    let mut findings = Vec::new();
    let tree = parse(file, &text, &mut findings);
    match (findings.first(), tree) {
        // The text may be a file's content, so the error does not quote it.
        (Some(_), _) => Err(all.invalid(&format!("the text is not valid {format}"))),
        (None, Some(tree)) => Ok(HclValue::of_tree(&tree)),
        (None, None) => Ok(HclValue::Null),
    }
}

/// JSON that keeps references to variables whose values need no escapes.
fn jsonencode(all: &Arguments) -> EvalResult<HclValue> {
    let mut out = Text::default();
    encode(all, all.get(0)?, &mut out)?;
    Ok(HclValue::Text(out))
}

fn encode(all: &Arguments, value: &HclValue, out: &mut Text) -> EvalResult<()> {
    match value {
        HclValue::Text(text) if text.literal().is_none() => {
            let odd = |known: &str| known.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '<' | '>' | '&'));
            let keeps = text.0.iter().all(|piece| match piece {
                TextPart::Unknown(one) => !one.secret && one.known.as_deref().is_none_or(|known| !odd(known)),
                _ => true,
            });
            let typed = text.single().is_some_and(|one| one.scalar != Scalar::Text);
            if typed || !keeps {
                return encode(all, &all.scope.settle(value)?, out);
            }
            out.extend(Text::plain("\""));
            for piece in &text.0 {
                match piece {
                    TextPart::Plain(plain) => {
                        let quoted = json(&HclValue::text(plain.as_str()));
                        out.extend(Text::plain(&quoted[1..quoted.len() - 1]));
                    }
                    other => out.extend(Text(vec![other.clone()])),
                }
            }
            out.extend(Text::plain("\""));
        }
        HclValue::List(items) => {
            out.extend(Text::plain("["));
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.extend(Text::plain(","));
                }
                encode(all, item, out)?;
            }
            out.extend(Text::plain("]"));
        }
        HclValue::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.extend(Text::plain("{"));
            for (at, (key, inner)) in entries.into_iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                out.extend(Text::plain(format!("{comma}{}:", json(&HclValue::text(key.as_str())))));
                encode(all, inner, out)?;
            }
            out.extend(Text::plain("}"));
        }
        other => out.extend(Text::plain(json(other))),
    }
    Ok(())
}

/// JSON of a fully known value, with sorted keys and Go's escapes.
pub(super) fn json(value: &HclValue) -> String {
    match value {
        HclValue::Null => "null".to_owned(),
        HclValue::Bool(value) => value.to_string(),
        HclValue::Number(number) => number.text(),
        HclValue::Text(text) => {
            let quoted = serde_json::Value::String(text.literal().unwrap_or_default()).to_string();
            quoted.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
        }
        HclValue::List(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        HclValue::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            let one =
                |(key, value): (&String, &HclValue)| format!("{}:{}", json(&HclValue::text(key.as_str())), json(value));
            format!("{{{}}}", entries.into_iter().map(one).collect::<Vec<_>>().join(","))
        }
    }
}

/// YAML of a fully known value in block style, with quoted texts as in Packer.
fn yaml(value: &HclValue, depth: usize) -> String {
    let space = "  ".repeat(depth);
    let below = |value: &HclValue| match value {
        HclValue::List(items) if !items.is_empty() => format!("\n{}", yaml(value, depth)),
        HclValue::Map(entries) if !entries.is_empty() => format!("\n{}", yaml(value, depth + 1)),
        other => format!(" {}", json(other)),
    };
    match value {
        HclValue::List(items) if !items.is_empty() => items
            .iter()
            .map(|item| match item {
                HclValue::List(inner) if inner.is_empty() => format!("{space}- []"),
                HclValue::Map(inner) if inner.is_empty() => format!("{space}- {{}}"),
                HclValue::List(_) | HclValue::Map(_) => format!("{space}- {}", yaml(item, depth + 1).trim_start()),
                other => format!("{space}- {}", json(other)),
            })
            .collect::<Vec<_>>()
            .join("\n"),
        HclValue::Map(entries) if !entries.is_empty() => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            let one = |(key, value): (&String, &HclValue)| {
                format!("{space}{}:{}", json(&HclValue::text(key.as_str())), below(value))
            };
            entries.into_iter().map(one).collect::<Vec<_>>().join("\n")
        }
        other => json(other),
    }
}
