//! Evaluates references to declarations: `var`, `local` and `data`.

use std::ops::Range;

use super::error::{EvalError, EvalResult};
use super::module::{Local, Module};
use super::scope::Scope;
use super::value::{HclValue, Text, TextPart, hidden};
use super::variable::Type;
use crate::template::Unsupported;
use ami_bake_manifest::access::credential;

/// Evaluates `var.NAME`.
pub(super) fn variable(scope: &Scope, name: &str, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    let Some(variable) = scope.module.variables.get(name) else {
        let help = format!("Declare it: `variable \"{name}\" {{}}`.");
        return Err(EvalError::invalid(scope.file, span, format!("no variable `{name}`"), help));
    };
    variable.used.set(true);
    let shown = format!("var.{name}");
    match variable.effective() {
        None if matches!(variable.kind, Type::List | Type::Set | Type::Map) => Err(EvalError::Unsupported(
            Unsupported::new(format!("it is computed from `{shown}`, which has no value"))
                .help(format!("Set it with `--set '{name}=…'` or `--var-file` and import again.")),
        )),
        None => Ok(variable.reference(None, variable.is_secret())),
        Some(value @ (HclValue::List(_) | HclValue::Map(_))) => {
            scope.module.spend(value.size())?;
            Ok(if variable.sensitive { hidden(value, &shown) } else { value.clone() })
        }
        Some(HclValue::Null) => Ok(HclValue::Null),
        Some(_) if variable.is_secret() => Ok(variable.reference(None, true)),
        Some(value) => {
            let text = value.to_text().unwrap_or_default();
            let known = match text.single() {
                Some(unknown) => unknown.known.clone(),
                None => text.literal(),
            };
            Ok(variable.reference(known, false))
        }
    }
}

/// Evaluates `local.NAME`.
pub(super) fn local(scope: &Scope, name: &str, span: Option<Range<usize>>) -> EvalResult<HclValue> {
    let module = scope.module;
    let Some(local) = module.locals.get(name) else {
        let help = "Declare it in a `locals` block.";
        return Err(EvalError::invalid(scope.file, span, format!("no local `{name}`"), help));
    };
    local.used.set(true);
    module.comments.borrow_mut().extend(local.comments.take());
    if local.cache.borrow().is_none() {
        if module.open.borrow().iter().any(|open| open == name) {
            let message = format!("the local `{name}` refers to itself");
            return Err(EvalError::invalid(scope.file, span, message, "Remove one of the references."));
        }
        module.open.borrow_mut().push(name.to_owned());
        let inner = Scope::new(module, local.file);
        let result = inner.eval(local.expr).map(|value| (guarded(module, local, value), inner.take_notes()));
        module.open.borrow_mut().pop();
        *local.cache.borrow_mut() = Some(result);
    }
    if let Some(Ok((value, _))) = &*local.cache.borrow() {
        module.spend(value.size())?;
    }
    let cached = local.cache.borrow().clone();
    let (value, notes) = cached.unwrap_or_else(|| Err(EvalError::unsupported("it has no value")))?;
    scope.note(notes);
    Ok(value)
}

/// The value of a local; one that must not be copied becomes a secret.
fn guarded(module: &Module, local: &Local, value: HclValue) -> HclValue {
    let fixed = |value: &HclValue| value.to_text().and_then(|text| text.literal());
    let named = credential::named(&local.name)
        && fixed(&value).is_some_and(|text| !text.is_empty() && text != "true" && text != "false");
    if !(local.sensitive || named) {
        return value;
    }
    match &value {
        // It already refers to a secret.
        HclValue::Text(text) if text.0.iter().any(|part| matches!(part, TextPart::Unknown(one) if one.secret)) => value,
        HclValue::Text(_) | HclValue::Number(_) => {
            module.extra(&local.name, local.file, format!("local.{}", local.name), true)
        }
        HclValue::List(_) | HclValue::Map(_) if local.sensitive => hidden(&value, &format!("local.{}", local.name)),
        _ => value,
    }
}

/// Evaluates `data.TYPE.NAME.FIELD`: the bake makes the request itself, or is given the value.
pub(super) fn data(
    scope: &Scope,
    kind: &str,
    name: &str,
    field: &str,
    tag: Option<&str>,
    span: Option<Range<usize>>,
) -> EvalResult<HclValue> {
    let module = scope.module;
    let Some(data) = module.find_data(kind, name) else {
        let message = format!("no data source `{kind}` named `{name}`");
        return Err(EvalError::invalid(scope.file, span, message, "Declare it in a `data` block."));
    };
    data.used.set(true);
    let path = format!("data.{kind}.{name}");
    let own = Scope::new(module, data.file);
    let attribute = |key: &str| -> EvalResult<Option<HclValue>> {
        data.body.get_attribute(key).map(|attribute| own.eval(&attribute.value)).transpose()
    };
    match (kind, field) {
        ("amazon-ami", _) => {
            let field = tag.map_or_else(|| field.to_owned(), |tag| format!("{field}.{tag}"));
            Ok(HclValue::Text(Text(vec![TextPart::SourceImage { name: name.to_owned(), field }])))
        }
        ("null", "output") => match attribute("input")? {
            Some(value) => {
                scope.note(own.take_notes());
                Ok(value)
            }
            None => Ok(HclValue::Null),
        },
        ("amazon-secretsmanager", "value" | "secret_string") => Ok(module.extra(name, data.file, path, true)),
        ("amazon-parameterstore", "value") => {
            // Without decryption, which is the default, the value is not a secret.
            let plain = matches!(attribute("with_decryption")?, None | Some(HclValue::Bool(false)));
            Ok(module.extra(name, data.file, path, !plain || credential::named(name)))
        }
        _ => Err(EvalError::Unsupported(
            Unsupported::new(format!("`{path}.{field}` reads a value from another service"))
                .help("Read it in the workflow before the bake and pass it as a secret or a variable."),
        )),
    }
}

/// The SSM parameter, if the text consists of nothing else; its name may contain variables.
pub(super) fn parameter(module: &Module, text: &Text) -> Option<Text> {
    let unknown = text.single()?;
    let name = unknown.name.strip_prefix("data.amazon-parameterstore.")?;
    let data = module.find_data("amazon-parameterstore", name)?;
    let own = Scope::new(module, data.file);
    let value = own.eval(&data.body.get_attribute("name")?.value).ok()?;
    value.to_text()
}
