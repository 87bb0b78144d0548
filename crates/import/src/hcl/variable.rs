//! Variables of a template and their types.

use std::cell::Cell;
use std::ops::Range;

use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::Body;

use super::error::EvalResult;
use super::number::Number;
use super::value::{HclValue, Scalar, Unknown, set_of};
use crate::template::call;
use ami_bake_manifest::access::credential;

/// A variable.
pub(super) struct Variable<'a> {
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) body: &'a Body,
    /// Byte range of its block or attribute.
    pub(super) span: Range<usize>,
    pub(super) kind: Type,
    pub(super) default: Option<HclValue>,
    /// The value from the command line, the environment or a file.
    pub(super) given: Option<HclValue>,
    pub(super) sensitive: bool,
    pub(super) used: Cell<bool>,
    /// True when the default fails the variable's own `validation`, so that it must be set.
    pub(super) invalid: Cell<bool>,
    /// True for an attribute of a `variables` block.
    pub(super) short: bool,
}

/// The type of a variable, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Any,
    Scalar(Scalar),
    List,
    /// A list without order and duplicates.
    Set,
    Map,
}

impl<'a> Variable<'a> {
    /// An entry of a `variables` block.
    pub(super) fn plain(name: &str, file: usize, body: &'a Body, span: Range<usize>, value: HclValue) -> Self {
        Self {
            name: name.to_owned(),
            file,
            body,
            span,
            kind: Type::of(&value),
            default: Some(value),
            given: None,
            sensitive: false,
            used: Cell::new(false),
            invalid: Cell::new(false),
            short: true,
        }
    }

    /// The value during the import.
    pub(super) fn effective(&self) -> Option<&HclValue> {
        self.given.as_ref().or(self.default.as_ref())
    }

    /// Sets the value.
    pub(super) fn give(&mut self, value: HclValue) -> Result<(), String> {
        self.given = Some(self.kind.convert(value)?);
        Ok(())
    }

    /// Whether the value must not be copied.
    pub(super) fn is_secret(&self) -> bool {
        let environment = |value: &HclValue| match value {
            HclValue::Text(text) => text.single().is_some_and(|unknown| credential::named(&unknown.name)),
            _ => false,
        };
        let literal = self.effective().and_then(HclValue::to_text).and_then(|text| text.literal());
        let harmless = literal.as_deref().is_some_and(|text| text == "true" || text == "false");
        self.sensitive
            || (credential::named(&self.name) && !harmless && !matches!(self.kind, Type::Scalar(Scalar::Bool)))
            || literal.as_deref().is_some_and(credential::holds)
            || self.effective().is_some_and(environment)
    }

    /// Whether the value is written out at its uses, since fields can't refer to it.
    pub(super) fn is_written_out(&self) -> bool {
        matches!(self.effective(), Some(HclValue::List(_) | HclValue::Map(_) | HclValue::Null))
            || matches!(self.kind, Type::List | Type::Set | Type::Map)
    }

    /// A reference to the variable.
    pub(super) fn reference(&self, known: Option<String>, secret: bool) -> HclValue {
        let scalar = if let Type::Scalar(scalar) = self.kind { scalar } else { Scalar::Text };
        let name = format!("var.{}", self.name);
        HclValue::unknown(Unknown { action: call("user", self.name.as_str()), known, scalar, secret, name })
    }
}

/// A value with the defaults of optional attributes in its type: `object({a = optional(string, "x")})`.
pub(super) fn with_defaults(
    kind: &Expression,
    value: HclValue,
    eval: &dyn Fn(&Expression) -> EvalResult<HclValue>,
) -> EvalResult<HclValue> {
    let Expression::FuncCall(call) = kind else { return Ok(value) };
    let mut arguments = call.args.iter();
    let Some(first) = arguments.next() else { return Ok(value) };
    match (call.name.name.as_str(), value) {
        ("optional", HclValue::Null) => match arguments.next() {
            Some(default) => with_defaults(first, eval(default)?, eval),
            None => Ok(HclValue::Null),
        },
        ("optional", value) => with_defaults(first, value, eval),
        ("list" | "set", HclValue::List(items)) => {
            let items = items.into_iter().map(|item| with_defaults(first, item, eval));
            Ok(HclValue::List(items.collect::<EvalResult<_>>()?))
        }
        ("map", HclValue::Map(entries)) => {
            let entries = entries.into_iter().map(|(key, value)| Ok((key, with_defaults(first, value, eval)?)));
            Ok(HclValue::Map(entries.collect::<EvalResult<_>>()?))
        }
        ("object", HclValue::Map(mut entries)) => {
            let Expression::Object(types) = first else { return Ok(HclValue::Map(entries)) };
            for (name, kind) in types {
                let name = match name {
                    ObjectKey::Ident(name) | ObjectKey::Expression(Expression::Variable(name)) => name.as_str(),
                    ObjectKey::Expression(Expression::String(name)) => name.value().as_str(),
                    ObjectKey::Expression(_) => continue,
                };
                let known = entries.get(name).cloned();
                let is_optional =
                    matches!(kind.expr(), Expression::FuncCall(call) if call.name.name.as_str() == "optional");
                if known.is_some() || is_optional {
                    let value = with_defaults(kind.expr(), known.unwrap_or(HclValue::Null), eval)?;
                    entries.insert(name.to_owned(), value);
                }
            }
            Ok(HclValue::Map(entries))
        }
        (_, value) => Ok(value),
    }
}

impl Type {
    /// Parses a type expression.
    pub(super) fn read(expr: &Expression) -> Self {
        match expr {
            Expression::Variable(name) => Self::named(name.as_str()),
            Expression::String(name) => Self::named(name.value()),
            Expression::FuncCall(call) => match call.name.name.as_str() {
                "set" => Self::Set,
                "list" | "tuple" => Self::List,
                "map" | "object" => Self::Map,
                "optional" => call.args.iter().next().map_or(Self::Any, Self::read),
                _ => Self::Any,
            },
            _ => Self::Any,
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "string" => Self::Scalar(Scalar::Text),
            "number" => Self::Scalar(Scalar::Number),
            "bool" => Self::Scalar(Scalar::Bool),
            "set" => Self::Set,
            "list" | "tuple" => Self::List,
            "map" | "object" => Self::Map,
            _ => Self::Any,
        }
    }

    /// The type of a value.
    pub(super) fn of(value: &HclValue) -> Self {
        match value {
            HclValue::Null => Self::Any,
            HclValue::Bool(_) => Self::Scalar(Scalar::Bool),
            HclValue::Number(_) => Self::Scalar(Scalar::Number),
            HclValue::Text(_) => Self::Scalar(Scalar::Text),
            HclValue::List(_) => Self::List,
            HclValue::Map(_) => Self::Map,
        }
    }

    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Any => "any type",
            Self::Scalar(Scalar::Text) => "a string",
            Self::Scalar(Scalar::Number) => "a number",
            Self::Scalar(Scalar::Bool) => "a boolean",
            Self::List => "a list",
            Self::Set => "a set",
            Self::Map => "a map",
        }
    }

    /// Converts a value to this type.
    ///
    /// # Errors
    /// When the value has another type.
    pub(super) fn convert(self, value: HclValue) -> Result<HclValue, String> {
        let unfit = |value: &HclValue| Err(format!("expected {}, found {}", self.describe(), value.describe()));
        let literal = value.to_text().and_then(|text| text.literal());
        match (self, &value) {
            (_, HclValue::Null) | (Self::Any, _) | (Self::List, HclValue::List(_)) | (Self::Map, HclValue::Map(_)) => {
                Ok(value)
            }
            (Self::Set, HclValue::List(_)) => match value {
                HclValue::List(items) => Ok(HclValue::List(set_of(items))),
                other => Ok(other),
            },
            // The value of an environment variable is not known yet.
            (Self::Scalar(_), HclValue::Text(text)) if text.literal().is_none() => Ok(value),
            (Self::Scalar(Scalar::Text), _) => literal.map_or_else(|| unfit(&value), |text| Ok(HclValue::text(text))),
            (Self::Scalar(Scalar::Number), _) => match literal.and_then(|text| Number::parse(text.trim())) {
                Some(number) => Ok(HclValue::Number(number)),
                None => unfit(&value),
            },
            (Self::Scalar(Scalar::Bool), _) => match literal.as_deref() {
                Some("true") => Ok(HclValue::Bool(true)),
                Some("false") => Ok(HclValue::Bool(false)),
                _ => unfit(&value),
            },
            (Self::List | Self::Set | Self::Map, _) => unfit(&value),
        }
    }
}
