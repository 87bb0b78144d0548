//! Calls of Packer's functions.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::FuncCall;

use super::arguments::Arguments;
use super::{collection, date, digest, encode, file, network, number, string, table, time};
use crate::hcl::error::{EvalError, EvalResult};
use crate::hcl::scope::Scope;
use crate::hcl::value::{HclValue, Scalar, Unknown};
use crate::hcl::variable::Type;
use crate::template::parse::Argument;
use crate::template::{Unsupported, call as action};
use ami_bake_manifest::access::credential;

/// Evaluates a function call.
pub(in crate::hcl) fn call(scope: &Scope, call: &FuncCall, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    let name = call.name.name.as_str();
    if call.name.is_namespaced() {
        return Err(scope.invalid(span, "Packer has no functions with `::`"));
    }
    if name == "try" || name == "can" {
        return lazy(scope, call, name, span);
    }
    if name == "convert" {
        return convert(scope, call, span);
    }
    let mut values = call.args.iter().map(|argument| scope.eval(argument)).collect::<EvalResult<Vec<_>>>()?;
    if call.args.expand_final() {
        match values.pop() {
            Some(HclValue::List(items)) => values.extend(items),
            _ => return Err(scope.invalid(span, "only a list can be expanded with `...`")),
        }
    }
    let origin = values.iter().find_map(|value| value.origin(&scope.module.private));
    let arguments = Arguments { scope, name: name.to_owned(), values, span: span.clone() };
    let known = [
        string::call,
        collection::call,
        number::call,
        time::call,
        date::call,
        encode::call,
        digest::call,
        network::call,
        table::call,
        file::call,
        service,
    ];
    for function in known {
        if let Some(result) = function(&arguments, name) {
            return made(scope, result?, origin.as_deref());
        }
    }
    let help = "See Packer's documentation for the available functions.";
    Err(EvalError::invalid(scope.file, span, format!("no function `{name}`"), help))
}

/// Evaluates `convert(VALUE, TYPE)`, whose second argument is not a value.
fn convert(scope: &Scope, call: &FuncCall, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    let arguments: Vec<_> = call.args.iter().collect();
    let [value, kind] = arguments.as_slice() else {
        return Err(scope.invalid(span, "`convert` needs a value and a type"));
    };
    let value = scope.eval(value)?;
    let origin = value.origin(&scope.module.private);
    let kind = Type::read(kind);
    // Scalars in a text stay unconverted while they are unknown: the field decides how they are used.
    let value = kind.convert(value).map_err(|why| scope.invalid(span, format!("`convert`: {why}")))?;
    made(scope, value, origin.as_deref())
}

/// The result of a function. A value made from a private value (of a file or the environment) is private, too.
fn made(scope: &Scope, value: HclValue, origin: Option<&str>) -> EvalResult<HclValue> {
    scope.module.spend(value.size())?;
    if let Some(origin) = origin {
        value.texts(&mut |text| scope.module.private.add(text, origin));
    }
    Ok(value)
}

/// Evaluates `try` and `can`, whose arguments may fail.
fn lazy(scope: &Scope, call: &FuncCall, name: &str, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    let mut last = scope.invalid(span, format!("`{name}` needs an argument"));
    for argument in &call.args {
        match scope.eval(argument) {
            Ok(_) if name == "can" => return Ok(HclValue::Bool(true)),
            Ok(value) => return Ok(value),
            // A value that is unknown during the import may exist during the bake.
            Err(error @ EvalError::Invalid(_)) => last = error,
            Err(error) => return Err(error),
        }
        if name == "can" {
            return Ok(HclValue::Bool(false));
        }
    }
    // The error of the last attempt is shown.
    if let (EvalError::Invalid(error), Some(argument)) = (&mut last, call.args.iter().last()) {
        error.span = argument.span().unwrap_or_default();
    }
    Err(last)
}

/// Functions that read the environment or another service.
fn service(arguments: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    let scope = arguments.scope;
    let extra = |index: usize, secret: bool| -> EvalResult<HclValue> {
        let key = arguments.string(index).or_else(|_| arguments.string(0))?;
        let own = key.rsplit(['/', ':']).next().unwrap_or_default().to_owned();
        let shown = format!("{name}({:?})", arguments.string(0)?);
        let path = if index == 0 { shown } else { format!("{shown} {key}") };
        Ok(scope.module.extra(&own, scope.file, path, secret))
    };
    Some(match name {
        "env" => arguments.string(0).and_then(|variable| {
            let secret = credential::named(&variable);
            if let Some(hidden) = scope.module.environment.hidden(&variable).filter(|_| !secret) {
                return Err(EvalError::refused(scope.file, arguments.span.clone(), hidden.message, hidden.help));
            }
            let known = scope.module.environment.get(&variable).unwrap_or_default().to_owned();
            scope.module.private.add(&known, &format!("env({variable:?})"));
            Ok(HclValue::unknown(Unknown {
                action: action("env", variable.as_str()),
                known: (!secret).then_some(known),
                scalar: Scalar::Text,
                secret,
                name: variable,
            }))
        }),
        "vault" | "aws_secretsmanager" => extra(1, true),
        "aws_secretsmanager_raw" => extra(0, true),
        "consul_key" => extra(0, false),
        "azure_keyvault" | "azure_key_vault" => Err(EvalError::Unsupported(
            Unsupported::new(format!("`{name}` reads a value from another service"))
                .help("Read it in the workflow before the bake and pass it as a secret or a variable."),
        )),
        "uuidv4" | "uuid" => Ok(match scope.module.now {
            Some(_) => HclValue::text(uuid::Uuid::new_v4().to_string()),
            None => HclValue::unknown(Unknown {
                action: vec![vec![Argument::Name("uuid".to_owned())]],
                known: None,
                scalar: Scalar::Text,
                secret: false,
                name: "uuidv4()".to_owned(),
            }),
        }),
        "filemd5" | "filesha1" => Err(EvalError::unsupported(format!("the function `{name}` is not supported"))),
        _ => return None,
    })
}
