//! `variable` blocks, and all that gives them values.

use std::cell::Cell;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::parser::parse_expr;
use hcl_edit::structure::{Block, Body};

use super::evaluate::Scope;
use super::fault::{Fault, Outcome};
use super::module::{Module, hidden};
use super::operate;
use super::value::{Live, Piece, Scalar, Text, Value};
use crate::credential;

/// One variable.
pub(super) struct Variable<'a> {
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) body: &'a Body,
    pub(super) kind: Type,
    pub(super) default: Option<Value>,
    /// Its value of the command line, the environment or a file.
    pub(super) given: Option<Value>,
    pub(super) sensitive: bool,
    pub(super) used: Cell<bool>,
    /// Its default does not meet its own `validation`: it must be given.
    pub(super) invalid: Cell<bool>,
    /// It stands in a `variables` block, whose attributes are variables.
    pub(super) short: bool,
}

/// A type, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Any,
    Scalar(Scalar),
    List,
    Map,
}

impl<'a> Variable<'a> {
    /// Reads a block.
    pub(super) fn read(scope: &Scope, block: &'a Block) -> Outcome<Self> {
        let [label] = block.labels.as_slice() else {
            return Err(scope.wrong(block.span(), "a variable has one name: `variable \"name\" {}`"));
        };
        let attribute = |name: &str| block.body.get_attribute(name).map(|attribute| &attribute.value);
        let mut kind = attribute("type").map_or(Type::Any, Type::read);
        let default = match attribute("default") {
            Some(expr) => {
                let value = scope.eval(expr)?;
                if kind == Type::Any {
                    kind = Type::of(&value);
                }
                let converted = kind.convert(value).map_err(|why| scope.wrong(expr.span(), why))?;
                Some(converted)
            }
            None => None,
        };
        let sensitive = match attribute("sensitive") {
            Some(expr) => operate::truth(scope, &scope.eval(expr)?, expr.span())?,
            None => false,
        };
        scope.take_notes();
        Ok(Self {
            name: label.as_str().to_owned(),
            file: scope.file,
            body: &block.body,
            kind,
            default,
            given: None,
            sensitive,
            used: Cell::new(false),
            invalid: Cell::new(false),
            short: false,
        })
    }

    /// An entry of a `variables` block.
    pub(super) fn plain(name: &str, file: usize, body: &'a Body, value: Value) -> Self {
        Self {
            name: name.to_owned(),
            file,
            body,
            kind: Type::of(&value),
            default: Some(value),
            given: None,
            sensitive: false,
            used: Cell::new(false),
            invalid: Cell::new(false),
            short: true,
        }
    }

    /// The value that it has at the import.
    pub(super) fn effective(&self) -> Option<&Value> {
        self.given.as_ref().or(self.default.as_ref())
    }

    /// Takes a value of the command line or the environment.
    pub(super) fn give_text(&mut self, module: &Module, text: &str) -> Result<(), String> {
        let value = match self.kind {
            Type::Any | Type::Scalar(Scalar::Text) => Value::text(text),
            Type::Scalar(_) => Value::text(text.trim()),
            Type::List | Type::Map => {
                let unread =
                    |_| format!("`{}` is {}, and this value can't be read as one", self.name, self.kind.shown());
                let expr = parse_expr(text.trim()).map_err(unread)?;
                Scope::new(module, usize::MAX).eval(&expr).map_err(|fault| match fault {
                    Fault::Trouble(trouble) => trouble.why,
                    Fault::Wrong(wrong) => wrong.message,
                })?
            }
        };
        self.give(value)
    }

    /// Takes a value of a file.
    pub(super) fn give(&mut self, value: Value) -> Result<(), String> {
        self.given = Some(self.kind.convert(value)?);
        Ok(())
    }

    /// Whether its value must not be copied.
    pub(super) fn is_secret(&self) -> bool {
        let environment = |value: &Value| match value {
            Value::Text(text) => text.single().is_some_and(|live| credential::named(&live.name)),
            _ => false,
        };
        let literal = self.effective().and_then(Value::to_text).and_then(|text| text.literal());
        let harmless = literal.as_deref().is_some_and(|text| text == "true" || text == "false");
        self.sensitive
            || (credential::named(&self.name) && !harmless && !matches!(self.kind, Type::Scalar(Scalar::Bool)))
            || literal.as_deref().is_some_and(credential::holds)
            || self.effective().is_some_and(environment)
    }

    /// Whether its value is written out where it is used, since a field can't follow it.
    pub(super) fn is_written_out(&self) -> bool {
        matches!(self.effective(), Some(Value::List(_) | Value::Map(_) | Value::Null))
            || matches!(self.kind, Type::List | Type::Map)
    }

    fn live(&self, known: Option<String>, secret: bool) -> Value {
        let scalar = if let Type::Scalar(scalar) = self.kind { scalar } else { Scalar::Text };
        Value::Text(Text(vec![Piece::Live(Live {
            template: format!("{{{{user `{}`}}}}", self.name),
            known,
            scalar,
            secret,
            name: format!("var.{}", self.name),
        })]))
    }
}

impl Type {
    fn read(expr: &Expression) -> Self {
        match expr {
            Expression::Variable(name) => Self::named(name.as_str()),
            Expression::String(name) => Self::named(name.value()),
            Expression::FuncCall(call) => match call.name.name.as_str() {
                "list" | "set" | "tuple" => Self::List,
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
            "list" | "set" | "tuple" => Self::List,
            "map" | "object" => Self::Map,
            _ => Self::Any,
        }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Any,
            Value::Bool(_) => Self::Scalar(Scalar::Bool),
            Value::Number(_) => Self::Scalar(Scalar::Number),
            Value::Text(_) => Self::Scalar(Scalar::Text),
            Value::List(_) => Self::List,
            Value::Map(_) => Self::Map,
        }
    }

    fn shown(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Scalar(Scalar::Text) => "a text",
            Self::Scalar(Scalar::Number) => "a number",
            Self::Scalar(Scalar::Bool) => "true or false",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }

    fn convert(self, value: Value) -> Result<Value, String> {
        let unfit = |value: &Value| Err(format!("this is {}, and the variable is {}", value.kind(), self.shown()));
        let literal = value.to_text().and_then(|text| text.literal());
        match (self, &value) {
            (_, Value::Null) | (Self::Any, _) | (Self::List, Value::List(_)) | (Self::Map, Value::Map(_)) => Ok(value),
            // What the environment gives is not looked at.
            (Self::Scalar(_), Value::Text(text)) if text.literal().is_none() => Ok(value),
            (Self::Scalar(Scalar::Text), _) => literal.map_or_else(|| unfit(&value), |text| Ok(Value::text(text))),
            (Self::Scalar(Scalar::Number), _) => match literal.and_then(|text| text.trim().parse().ok()) {
                Some(number) => Ok(Value::Number(number)),
                None => unfit(&value),
            },
            (Self::Scalar(Scalar::Bool), _) => match literal.as_deref() {
                Some("true") => Ok(Value::Bool(true)),
                Some("false") => Ok(Value::Bool(false)),
                _ => unfit(&value),
            },
            (Self::List | Self::Map, _) => unfit(&value),
        }
    }
}

impl Module<'_> {
    /// `var.NAME`
    pub(super) fn variable(&self, scope: &Scope, name: &str, span: Option<Range<usize>>) -> Outcome<Value> {
        let Some(variable) = self.variables.iter().find(|variable| variable.name == name) else {
            let help = format!("Declare it: `variable \"{name}\" {{}}`.");
            return Err(Fault::wrong(scope.file, span, format!("there is no variable `{name}`"), help));
        };
        variable.used.set(true);
        let shown = format!("var.{name}");
        match variable.effective() {
            None if matches!(variable.kind, Type::List | Type::Map) => Err(Fault::Trouble(
                crate::template::Trouble::new(format!("it is made of `{shown}`, which has no value yet"))
                    .help(format!("Give it with `--set '{name}=…'` or `--var-file`, and import again.")),
            )),
            None => Ok(variable.live(None, variable.is_secret())),
            Some(value @ (Value::List(_) | Value::Map(_))) => {
                self.spend(value.size())?;
                Ok(if variable.sensitive { hidden(value, &shown) } else { value.clone() })
            }
            Some(Value::Null) => Ok(Value::Null),
            Some(_) if variable.is_secret() => Ok(variable.live(None, true)),
            Some(value) => {
                let text = value.to_text().unwrap_or_default();
                let known = match text.single() {
                    Some(live) => live.known.clone(),
                    None => text.literal(),
                };
                Ok(variable.live(known, false))
            }
        }
    }
}
