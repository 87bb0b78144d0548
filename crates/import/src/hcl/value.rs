//! Values of HCL, in which parts may not be known before the bake.

use crate::template::Trouble;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    List(Vec<Value>),
    /// A map or an object, in the order of the file.
    Map(Vec<(String, Value)>),
}

/// A text in pieces; a variable alone is a text of one piece, whatever its type.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Text(pub(super) Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Plain(String),
    Live(Live),
    /// The time of the bake in UTC, in a layout of Go.
    Time(String),
    /// A field of a data source that finds an image.
    Data {
        name: String,
        field: String,
    },
}

/// What the bake gives a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Live {
    /// As a template of Packer's JSON says it.
    pub(super) template: String,
    /// The value that it has as the template stands.
    pub(super) known: Option<String>,
    pub(super) scalar: Scalar,
    pub(super) secret: bool,
    /// What the author calls it.
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
        Self(if text.is_empty() { Vec::new() } else { vec![Piece::Plain(text)] })
    }

    pub(super) fn extend(&mut self, other: Self) {
        for piece in other.0 {
            match (self.0.last_mut(), piece) {
                (Some(Piece::Plain(last)), Piece::Plain(text)) => last.push_str(&text),
                (_, piece) => self.0.push(piece),
            }
        }
    }

    /// The text, when all of it is fixed.
    pub(super) fn literal(&self) -> Option<String> {
        self.0.iter().map(|piece| if let Piece::Plain(text) = piece { Some(text.as_str()) } else { None }).collect()
    }

    /// Its one live piece, when it is nothing else.
    pub(super) fn single(&self) -> Option<&Live> {
        match self.0.as_slice() {
            [Piece::Live(live)] => Some(live),
            _ => None,
        }
    }

    /// The text as the template stands; what it was made of is noted.
    pub(super) fn settle(&self, notes: &mut Vec<String>) -> Result<String, Trouble> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Plain(text) => out.push_str(text),
                Piece::Live(live) => out.push_str(&live.settle(notes)?),
                Piece::Time(_) => return Err(later("the time of the bake")),
                Piece::Data { name, field } => return Err(later(&format!("`{name}.{field}`"))),
            }
        }
        Ok(out)
    }

    /// How much it holds, in bytes.
    pub(super) fn size(&self) -> usize {
        self.0.iter().map(|piece| if let Piece::Plain(text) = piece { text.len() } else { 16 }).sum()
    }
}

fn later(what: &str) -> Trouble {
    Trouble::new(format!("it is computed from {what}, which is not known before the bake"))
}

impl Live {
    fn settle(&self, notes: &mut Vec<String>) -> Result<String, Trouble> {
        if self.secret {
            return Err(Trouble::new(format!("it is computed from the secret `{}`", self.name))
                .help("Prepare the value before it is given as a secret."));
        }
        let Some(known) = &self.known else {
            return Err(Trouble::new(format!("it is computed from `{}`, which has no value yet", self.name))
                .help("Give it a value with `--set` or `--var-file`, and import again."));
        };
        let note = format!("it was evaluated once with the value of `{}`, and no longer follows it", self.name);
        if !notes.contains(&note) {
            notes.push(note);
        }
        Ok(known.clone())
    }
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Text::plain(text))
    }

    /// The value as the template stands; what it was made of is noted.
    pub(super) fn settle(&self, notes: &mut Vec<String>) -> Result<Self, Trouble> {
        Ok(match self {
            Self::Text(text) => {
                let settled = text.settle(notes)?;
                match text.single().map_or(Scalar::Text, |live| live.scalar) {
                    Scalar::Number => settled.trim().parse().map_or(Self::text(settled), Self::Number),
                    Scalar::Bool if settled == "true" || settled == "false" => Self::Bool(settled == "true"),
                    _ => Self::text(settled),
                }
            }
            Self::List(items) => Self::List(items.iter().map(|item| item.settle(notes)).collect::<Result<_, _>>()?),
            Self::Map(entries) => {
                Self::Map(entries.iter().map(|(key, value)| Ok((key.clone(), value.settle(notes)?))).collect::<Result<
                    _,
                    Trouble,
                >>(
                )?)
            }
            other => other.clone(),
        })
    }

    /// A scalar as text; none of `null`, lists and maps.
    pub(super) fn to_text(&self) -> Option<Text> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(Text::plain(number_text(*number))),
            Self::Bool(value) => Some(Text::plain(value.to_string())),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// How much it holds, in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => 16 + text.size(),
            Self::List(items) => 16 + items.iter().map(Self::size).sum::<usize>(),
            Self::Map(entries) => 16 + entries.iter().map(|(key, value)| key.len() + value.size()).sum::<usize>(),
            _ => 16,
        }
    }
}

/// A number as HCL writes it.
pub(super) fn number_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.0}") } else { number.to_string() }
}
