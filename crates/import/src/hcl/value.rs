//! Values of HCL, parts of which may only be known during the bake.

use std::collections::HashSet;

use ami_bake_manifest::diagnostic::PrivateValues;
use ami_bake_manifest::tree::{Kind, Meaning, Node};
use indexmap::IndexMap;

use super::number::Number;
use crate::template::Unsupported;
use crate::template::parse::Pipeline;

/// A value of HCL.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum HclValue {
    Null,
    Bool(bool),
    Number(Number),
    Text(Text),
    List(Vec<HclValue>),
    /// A map or an object, in the order of the file.
    Map(IndexMap<String, HclValue>),
}

/// A text in parts; a variable alone is a text of one part, whatever its type.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Text(pub(super) Vec<TextPart>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TextPart {
    Plain(String),
    Unknown(Unknown),
    /// The time of the bake in UTC, in a layout of Go.
    Time(String),
    /// A field of a data source that finds an image.
    SourceImage {
        /// The name of the data source.
        name: String,
        field: String,
    },
    /// A value that must not be copied, by the name of the declaration that it belongs to.
    Hidden(String),
}

/// A value that is only known during the bake.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unknown {
    /// The expression that gives the value.
    pub(super) action: Pipeline,
    /// The value during the import.
    pub(super) known: Option<String>,
    pub(super) scalar: Scalar,
    pub(super) secret: bool,
    /// The name in the template.
    pub(super) name: String,
}

/// The type of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Number,
    Bool,
}

impl Text {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(if text.is_empty() { Vec::new() } else { vec![TextPart::Plain(text)] })
    }

    pub(super) fn extend(&mut self, other: Self) {
        for part in other.0 {
            match (self.0.last_mut(), part) {
                (Some(TextPart::Plain(last)), TextPart::Plain(text)) => last.push_str(&text),
                (_, part) => self.0.push(part),
            }
        }
    }

    /// The text, if all of it is fixed.
    pub(super) fn literal(&self) -> Option<String> {
        self.0.iter().map(|part| if let TextPart::Plain(text) = part { Some(text.as_str()) } else { None }).collect()
    }

    /// The unknown value, if the text consists of nothing else.
    pub(super) fn single(&self) -> Option<&Unknown> {
        match self.0.as_slice() {
            [TextPart::Unknown(unknown)] => Some(unknown),
            _ => None,
        }
    }

    /// The text during the import; notes list what it was computed from.
    pub(super) fn settle(&self, notes: &mut Vec<String>) -> Result<String, Unsupported> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                TextPart::Plain(text) => out.push_str(text),
                TextPart::Unknown(unknown) => out.push_str(&unknown.settle(notes)?),
                TextPart::Time(_) => return Err(only_during_the_bake("the time of the bake")),
                TextPart::SourceImage { name, field } => {
                    return Err(only_during_the_bake(&format!("`{name}.{field}`")));
                }
                TextPart::Hidden(name) => return Err(only_during_the_bake(&format!("`{name}`"))),
            }
        }
        Ok(out)
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> usize {
        self.0.iter().map(|part| if let TextPart::Plain(text) = part { text.len() } else { 16 }).sum()
    }
}

fn only_during_the_bake(what: &str) -> Unsupported {
    Unsupported::new(format!("it is computed from {what}, which is only known during the bake"))
}

impl Unknown {
    fn settle(&self, notes: &mut Vec<String>) -> Result<String, Unsupported> {
        if self.secret {
            return Err(Unsupported::new(format!("it is computed from the secret `{}`", self.name))
                .help("Store the finished value as the secret."));
        }
        let Some(known) = &self.known else {
            return Err(Unsupported::new(format!("it is computed from `{}`, which has no value", self.name))
                .help("Set it with `--set` or `--var-file` and import again."));
        };
        let note = format!("evaluated with the current value of `{}`; it no longer follows it", self.name);
        if !notes.contains(&note) {
            notes.push(note);
        }
        Ok(known.clone())
    }
}

impl HclValue {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Text::plain(text))
    }

    pub(super) fn number(number: f64) -> Self {
        Self::Number(number.into())
    }

    /// A value that is only known during the bake.
    pub(super) fn unknown(unknown: Unknown) -> Self {
        Self::Text(Text(vec![TextPart::Unknown(unknown)]))
    }

    /// Converts a value of a JSON or YAML document.
    pub(super) fn of_tree(node: &Node) -> Self {
        match &node.kind {
            Kind::List(items) => Self::List(items.iter().map(Self::of_tree).collect()),
            Kind::Map(entries) => {
                Self::Map(entries.iter().map(|entry| (entry.key.clone(), Self::of_tree(&entry.value))).collect())
            }
            Kind::Scalar(scalar) => match scalar.meaning {
                Meaning::Null => Self::Null,
                Meaning::Boolean(value) => Self::Bool(value),
                Meaning::Integer(value) => Self::Number(Number::Whole(value.into())),
                Meaning::Float(value) => Self::Number(Number::parse(&scalar.text).unwrap_or(Number::Real(value))),
                Meaning::Text => Self::text(scalar.text.as_str()),
            },
        }
    }

    /// The value during the import; notes list what it was computed from.
    pub(super) fn settle(&self, notes: &mut Vec<String>) -> Result<Self, Unsupported> {
        Ok(match self {
            Self::Text(text) => {
                let settled = text.settle(notes)?;
                match text.single().map_or(Scalar::Text, |unknown| unknown.scalar) {
                    Scalar::Number => match Number::parse(settled.trim()) {
                        Some(number) => Self::Number(number),
                        None => Self::text(settled),
                    },
                    Scalar::Bool if settled == "true" || settled == "false" => Self::Bool(settled == "true"),
                    _ => Self::text(settled),
                }
            }
            Self::List(items) => Self::List(items.iter().map(|item| item.settle(notes)).collect::<Result<_, _>>()?),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((key.clone(), value.settle(notes)?)));
                Self::Map(entries.collect::<Result<_, Unsupported>>()?)
            }
            other => other.clone(),
        })
    }

    /// A scalar as text; `None` for `null`, lists and maps.
    pub(super) fn to_text(&self) -> Option<Text> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(Text::plain(number.text())),
            Self::Bool(value) => Some(Text::plain(value.to_string())),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Type name for messages.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&HclValue> {
        match self {
            Self::Map(entries) => entries.get(key),
            _ => None,
        }
    }

    /// Calls `visit` with every text in the value that is known during the import.
    pub(super) fn texts(&self, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Text(text) => {
                for part in &text.0 {
                    match part {
                        TextPart::Plain(text) => visit(text),
                        TextPart::Unknown(unknown) => unknown.known.iter().for_each(|known| visit(known)),
                        TextPart::Time(_) | TextPart::SourceImage { .. } | TextPart::Hidden(_) => {}
                    }
                }
            }
            Self::Number(number) => visit(&number.text()),
            Self::List(items) => items.iter().for_each(|item| item.texts(visit)),
            Self::Map(entries) => entries.values().for_each(|value| value.texts(visit)),
            Self::Null | Self::Bool(_) => {}
        }
    }

    /// The origin of a private value in it: a file or the environment.
    pub(super) fn origin(&self, private: &PrivateValues) -> Option<String> {
        let mut origin = None;
        self.texts(&mut |text| origin = origin.take().or_else(|| private.origin(text)));
        origin
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => 16 + text.size(),
            Self::List(items) => 16 + items.iter().map(Self::size).sum::<usize>(),
            Self::Map(entries) => 16 + entries.iter().map(|(key, value)| key.len() + value.size()).sum::<usize>(),
            _ => 16,
        }
    }
}

/// A list or map whose values must not be copied.
pub(super) fn hidden(value: &HclValue, name: &str) -> HclValue {
    match value {
        HclValue::List(items) => HclValue::List(items.iter().map(|item| hidden(item, name)).collect()),
        HclValue::Map(entries) => HclValue::Map(
            entries.iter().map(|(key, value)| (key.clone(), hidden(value, &format!("{name}.{key}")))).collect(),
        ),
        HclValue::Null => HclValue::Null,
        _ => HclValue::Text(Text(vec![TextPart::Hidden(name.to_owned())])),
    }
}

/// The items of a set in cty's order: texts by their bytes, numbers by their values; each once. The order is undefined
/// if a text is only known during the bake.
pub(super) fn set_of(items: Vec<HclValue>) -> Vec<HclValue> {
    let mut set = distinct(items);
    let numbers = set.iter().all(|item| matches!(item, HclValue::Number(_)));
    let texts: Option<Vec<String>> =
        set.iter().map(|item| if let HclValue::Text(text) = item { text.literal() } else { None }).collect();
    if numbers || set.iter().all(|item| matches!(item, HclValue::Bool(_))) {
        set.sort_by(|a, b| match (a, b) {
            (HclValue::Number(a), HclValue::Number(b)) => a.order(*b),
            (HclValue::Bool(a), HclValue::Bool(b)) => a.cmp(b),
            _ => std::cmp::Ordering::Equal,
        });
    } else if let Some(texts) = texts {
        let mut sorted: Vec<(String, HclValue)> = texts.into_iter().zip(set).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        return sorted.into_iter().map(|(_, item)| item).collect();
    }
    set
}

/// The items of a list without duplicates.
pub(super) fn distinct(items: Vec<HclValue>) -> Vec<HclValue> {
    let mut known = HashSet::new();
    items.into_iter().filter(|item| known.insert(key(item))).collect()
}

/// A text that is the same for equal values.
pub(super) fn key(value: &HclValue) -> String {
    match value {
        HclValue::Map(entries) => {
            let mut keys: Vec<String> =
                entries.iter().map(|(name, value)| format!("{name:?}:{}", key(value))).collect();
            keys.sort();
            format!("{{{}}}", keys.join(","))
        }
        HclValue::List(items) => format!("[{}]", items.iter().map(key).collect::<Vec<_>>().join(",")),
        HclValue::Number(number) => format!("n{}", number.text()),
        other => format!("{other:?}"),
    }
}
