//! Variables: `variable` blocks, and their values from files, environment and command line.

use std::cell::Cell;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::parser::parse_expr;
use hcl_edit::structure::{Block, BlockLabel, Body, Structure};

use super::error::{EvalError, EvalResult, TemplateError};
use super::file;
use super::lower::Lowering;
use super::module::Module;
use super::scope::Scope;
use super::value::{HclValue, Scalar};
use super::variable::{Type, Variable, with_defaults};
use crate::input::{Finding, FindingKind, Source};

/// Declares the variables of all files.
pub(super) fn variables<'a>(bodies: &'a [Body], module: &mut Module<'a>, lowering: &mut Lowering) {
    for (at, body) in bodies.iter().enumerate() {
        for block in body.get_blocks("variable") {
            let result = read(&Scope::new(module, at), block);
            match result {
                Ok(variable) if module.variables.contains_key(&variable.name) => {
                    let message = format!("the variable `{}` is declared twice", variable.name);
                    lowering.refuse(at, block.span(), message, "Remove one of the blocks.");
                }
                Ok(variable) => _ = module.variables.insert(variable.name.clone(), variable),
                Err(error) => {
                    let name = block.labels.first().map(BlockLabel::as_str).unwrap_or_default();
                    let location = lowering.location(at, format!("variable.{name}"));
                    lowering.error(error, &location);
                }
            }
        }
        // `variables { name = default }`, the notation that `variable` blocks replaced.
        for block in body.get_blocks("variables") {
            for attribute in block.body.attributes() {
                let name = attribute.key.as_str();
                match Scope::new(module, at).eval(&attribute.value) {
                    Ok(value) => {
                        let span = attribute.span().unwrap_or_default();
                        module.variables.insert(name.to_owned(), Variable::plain(name, at, &block.body, span, value));
                    }
                    Err(error) => {
                        let location = lowering.location(at, format!("variables.{name}"));
                        lowering.error(error, &location);
                    }
                }
            }
        }
    }
}

/// A `variable` block.
fn read<'a>(scope: &Scope, block: &'a Block) -> EvalResult<Variable<'a>> {
    let [label] = block.labels.as_slice() else {
        return Err(scope.invalid(block.span(), "a variable needs one name: `variable \"name\" {}`"));
    };
    let attribute = |name: &str| block.body.get_attribute(name).map(|attribute| &attribute.value);
    let mut kind = attribute("type").map_or(Type::Any, Type::read);
    let default = match attribute("default") {
        Some(expr) => {
            let value = scope.eval(expr)?;
            if kind == Type::Any {
                kind = Type::of(&value);
            }
            let value = kind.convert(value).map_err(|why| scope.invalid(expr.span(), why))?;
            Some(completed(scope, attribute("type"), value)?)
        }
        None => None,
    };
    let sensitive = match attribute("sensitive") {
        Some(expr) => scope.truth(&scope.eval(expr)?, expr.span())?,
        None => false,
    };
    scope.take_notes();
    Ok(Variable {
        name: label.as_str().to_owned(),
        file: scope.file,
        body: &block.body,
        span: block.span().unwrap_or_default(),
        kind,
        default,
        given: None,
        sensitive,
        used: Cell::new(false),
        invalid: Cell::new(false),
        short: false,
    })
}

/// A value completed with the defaults of its type.
fn completed(scope: &Scope, kind: Option<&Expression>, value: HclValue) -> EvalResult<HclValue> {
    match kind {
        Some(kind) => with_defaults(kind, value, &|expr| scope.eval(expr)),
        None => Ok(value),
    }
}

/// Sets variables from the environment, from files, and from the command line, in this order. `first` is the index of the first
/// variable file.
pub(super) fn values(
    files: &[&Source],
    first: usize,
    sets: &[(String, String)],
    module: &mut Module,
    lowering: &mut Lowering,
) {
    let mut variables = std::mem::take(&mut module.variables);
    for variable in variables.values_mut() {
        let name = format!("PKR_VAR_{}", variable.name);
        if let Some(text) = module.environment.get(&name) {
            let result = set_text(variable, module, text);
            private(variable, module);
            refuse(result, &name, lowering);
        }
    }
    // Variables that are set but can't be read are an error, so that no other value is used silently.
    for name in module.environment.unreadable() {
        let declared = name.strip_prefix("PKR_VAR_").is_some_and(|name| variables.contains_key(name));
        if let Some(hidden) = module.environment.hidden(name).filter(|_| declared) {
            lowering.drop(&lowering.location(usize::MAX, name), hidden.message, hidden.help);
        }
    }
    for (at, source) in files.iter().enumerate() {
        let file = first + at;
        let entries = match entries(file, source, module) {
            Ok(entries) => entries,
            Err(error) => {
                lowering.errors.push(error);
                continue;
            }
        };
        for (name, value) in entries {
            let Some(variable) = variables.get_mut(&name) else {
                let location = lowering.location(file, name);
                lowering.drop(&location, "not declared by the template", "");
                continue;
            };
            let given = variable.give(value);
            private(variable, module);
            if let Err(why) = given {
                let span = source.text.find(&name).map(|at| at..at + name.len());
                lowering.refuse(file, span, format!("`{name}`: {why}"), "");
            }
        }
    }
    for (name, text) in sets {
        match variables.get_mut(name) {
            Some(variable) => refuse(set_text(variable, module, text), &format!("--set {name}"), lowering),
            None => lowering.log.add(Finding {
                kind: FindingKind::Dropped,
                file: String::new(),
                path: format!("--set {name}"),
                why: "not declared by the template".to_owned(),
                help: String::new(),
            }),
        }
    }
    for variable in variables.values_mut() {
        let kind = variable.body.get_attribute("type").map(|attribute| &attribute.value);
        let Some(given) = variable.given.take() else { continue };
        let scope = Scope::new(module, variable.file);
        match completed(&scope, kind.filter(|_| !variable.short), given) {
            Ok(value) => variable.given = Some(value),
            Err(error) => {
                let location = lowering.location(variable.file, format!("variable.{}", variable.name));
                lowering.error(error, &location);
            }
        }
    }
    module.variables = variables;
}

/// Records the value of a variable as private: it comes from a file or the environment.
fn private(variable: &Variable, module: &Module) {
    let origin = format!("var.{}", variable.name);
    if let Some(value) = &variable.given {
        value.texts(&mut |text| module.private.add(text, &origin));
    }
}

/// Sets a variable to a value of the command line or the environment.
fn set_text(variable: &mut Variable, module: &Module, text: &str) -> Result<(), String> {
    let value = match variable.kind {
        Type::Any | Type::Scalar(Scalar::Text) => HclValue::text(text),
        Type::Scalar(_) => HclValue::text(text.trim()),
        Type::List | Type::Set | Type::Map => {
            let invalid = |_| format!("expected {}", variable.kind.describe());
            let expr = parse_expr(text.trim()).map_err(invalid)?;
            Scope::new(module, usize::MAX).eval(&expr).map_err(EvalError::into_message)?
        }
    };
    variable.give(value)
}

fn refuse(result: Result<(), String>, what: &str, lowering: &mut Lowering) {
    if let Err(why) = result {
        lowering.refuse(usize::MAX, None, format!("{what}: {why}"), "Write lists and maps in HCL syntax.");
    }
}

/// The entries of a variable file.
fn entries(file: usize, source: &Source, module: &Module) -> Result<Vec<(String, HclValue)>, TemplateError> {
    if source.path.extension().is_some_and(|extension| extension == "json") {
        return file::json(file, &source.text);
    }
    let body = file::body(file, &source.text)?;
    let mut entries = Vec::new();
    let scope = Scope::new(module, file);
    for structure in &body {
        match structure {
            Structure::Attribute(attribute) => match scope.eval(&attribute.value) {
                Ok(value) => entries.push((attribute.key.as_str().to_owned(), value)),
                Err(EvalError::Invalid(error) | EvalError::Refused(error)) => return Err(*error),
                Err(EvalError::Exceeded(exceeded)) => {
                    let span = attribute.value.span().unwrap_or_default();
                    return Err(TemplateError { file, span, message: exceeded.to_string(), help: String::new() });
                }
                Err(EvalError::Unsupported(unsupported)) => {
                    let span = attribute.value.span().unwrap_or_default();
                    return Err(TemplateError { file, span, message: unsupported.why, help: unsupported.help });
                }
            },
            Structure::Block(block) => {
                return Err(TemplateError {
                    file,
                    span: block.span().unwrap_or_default(),
                    message: "blocks are not allowed in a variable file".to_owned(),
                    help: "Write `name = value` for each variable.".to_owned(),
                });
            }
        }
    }
    Ok(entries)
}
