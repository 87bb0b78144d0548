//! Packer's functions.

mod collection;
mod encode;
mod file;
mod number;
mod string;
mod time;

pub(super) use encode::value as from_json;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::FuncCall;

use super::evaluate::{Scope, live};
use super::fault::{Fault, Outcome};
use super::operate;
use super::value::{Live, Piece, Scalar, Text, Value};
use crate::template::Trouble;

/// The arguments of a call, with its place.
pub(super) struct Arguments<'s, 'm, 'a> {
    pub(super) scope: &'s Scope<'m, 'a>,
    pub(super) name: String,
    pub(super) values: Vec<Value>,
    pub(super) span: Option<Range<usize>>,
}

impl Arguments<'_, '_, '_> {
    pub(super) fn wrong(&self, why: &str) -> Fault {
        self.scope.wrong(self.span.clone(), format!("`{}`: {why}", self.name))
    }

    pub(super) fn get(&self, index: usize) -> Outcome<&Value> {
        self.values.get(index).ok_or_else(|| self.wrong("an argument is missing"))
    }

    /// A text that may have pieces of the bake.
    pub(super) fn text(&self, index: usize) -> Outcome<Text> {
        let value = self.get(index)?;
        value.to_text().ok_or_else(|| self.wrong(&format!("a text is needed, and this is {}", value.kind())))
    }

    /// A text as the template stands.
    pub(super) fn string(&self, index: usize) -> Outcome<String> {
        self.scope.string(self.get(index)?, self.span.clone())
    }

    pub(super) fn number(&self, index: usize) -> Outcome<f64> {
        operate::number(self.scope, self.get(index)?, self.span.clone())
    }

    pub(super) fn list(&self, index: usize) -> Outcome<Vec<Value>> {
        match self.get(index)? {
            Value::List(items) => Ok(items.clone()),
            other => Err(self.wrong(&format!("a list is needed, and this is {}", other.kind()))),
        }
    }

    pub(super) fn map(&self, index: usize) -> Outcome<Vec<(String, Value)>> {
        match self.get(index)? {
            Value::Map(entries) => Ok(entries.clone()),
            other => Err(self.wrong(&format!("a map is needed, and this is {}", other.kind()))),
        }
    }

    pub(super) fn settled(&self, index: usize) -> Outcome<Value> {
        self.scope.settle(self.get(index)?)
    }
}

/// The value of a call.
pub(super) fn call(scope: &Scope, call: &FuncCall, span: Option<Range<usize>>) -> Outcome<Value> {
    let name = call.name.name.as_str();
    if call.name.is_namespaced() {
        return Err(scope.wrong(span, "Packer has no functions with `::`"));
    }
    if name == "try" || name == "can" {
        return lazy(scope, call, name, span);
    }
    let mut values = call.args.iter().map(|argument| scope.eval(argument)).collect::<Outcome<Vec<_>>>()?;
    if call.args.expand_final() {
        match values.pop() {
            Some(Value::List(items)) => values.extend(items),
            _ => return Err(scope.wrong(span, "only a list can be spread with `...`")),
        }
    }
    let arguments = Arguments { scope, name: name.to_owned(), values, span: span.clone() };
    let known = [string::call, collection::call, number::call, time::call, encode::call, file::call, service];
    for function in known {
        if let Some(outcome) = function(&arguments, name) {
            return outcome;
        }
    }
    let help = "Look it up in Packer's list of functions.";
    Err(Fault::wrong(scope.file, span, format!("there is no function `{name}`"), help))
}

/// `try` and `can`, whose arguments may fail.
fn lazy(scope: &Scope, call: &FuncCall, name: &str, span: Option<Range<usize>>) -> Outcome<Value> {
    let mut last = scope.wrong(span, format!("`{name}` lacks its argument"));
    for argument in &call.args {
        match scope.eval(argument) {
            Ok(_) if name == "can" => return Ok(Value::Bool(true)),
            Ok(value) => return Ok(value),
            // What can't be known here may well have a value in the bake.
            Err(fault @ Fault::Trouble(_)) => return Err(fault),
            Err(fault @ Fault::Wrong(_)) => last = fault,
        }
        if name == "can" {
            return Ok(Value::Bool(false));
        }
    }
    // The place of the last attempt is the one to look at.
    if let (Fault::Wrong(wrong), Some(argument)) = (&mut last, call.args.iter().last()) {
        wrong.span = argument.span().unwrap_or_default();
    }
    Err(last)
}

/// Functions that ask the environment or another service.
fn service(arguments: &Arguments, name: &str) -> Option<Outcome<Value>> {
    let scope = arguments.scope;
    let asked = |index: usize, secret: bool| -> Outcome<Value> {
        let key = arguments.string(index).or_else(|_| arguments.string(0))?;
        let own = key.rsplit(['/', ':']).next().unwrap_or_default().to_owned();
        let shown = format!("{name}({:?})", arguments.string(0)?);
        let path = if index == 0 { shown } else { format!("{shown} {key}") };
        Ok(scope.module.extra(&own, scope.file, path, secret))
    };
    Some(match name {
        "env" => arguments.string(0).map(|variable| {
            let known = scope.module.environment.get(&variable).cloned().unwrap_or_default();
            Value::Text(Text(vec![Piece::Live(Live {
                template: format!("{{{{env `{variable}`}}}}"),
                known: (!crate::credential::named(&variable)).then_some(known),
                scalar: Scalar::Text,
                secret: crate::credential::named(&variable),
                name: variable,
            })]))
        }),
        "vault" | "aws_secretsmanager" => asked(1, true),
        "aws_secretsmanager_raw" => asked(0, true),
        "consul_key" => asked(0, false),
        "azure_keyvault" | "azure_key_vault" => Err(Fault::Trouble(
            Trouble::new(format!("`{name}` reads a value from another service"))
                .help("Read it in the workflow before the bake, and give it as a secret or a variable."),
        )),
        "uuidv4" | "uuid" => Ok(match scope.module.now {
            Some(_) => Value::text(uuid::Uuid::new_v4().to_string()),
            None => live("{{uuid}}", "uuidv4()"),
        }),
        "bcrypt" | "md5" | "sha1" | "rsadecrypt" | "uuidv5" | "base64gzip" | "filemd5" | "filesha1" => {
            Err(Fault::trouble(format!("the function `{name}` has no counterpart")))
        }
        _ => return None,
    })
}
