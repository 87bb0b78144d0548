//! Validates variables, and reports unused declarations.

use hcl_edit::Span;

use super::declare::Declarations;
use super::error::EvalError;
use super::lower::Lowering;
use super::module::Module;
use super::scope::Scope;
use crate::packer::UNUSED;

/// Checks the values of variables against their `validation`.
pub(super) fn variables(module: &Module, lowering: &mut Lowering) {
    for variable in module.variables.values() {
        let location = lowering.location(variable.file, format!("variable.{}", variable.name));
        let scope = Scope::new(module, variable.file);
        for attribute in variable.body.attributes() {
            let known = ["type", "default", "description", "sensitive"].contains(&attribute.key.as_str());
            if !known && !variable.short {
                lowering.unknown(&location.key(attribute.key.as_str()));
            }
        }
        for block in variable.body.get_blocks("validation") {
            let used = variable.used.get();
            let Some(condition) = block.body.get_attribute("condition") else { continue };
            let result = scope.eval(&condition.value);
            let met = result.and_then(|value| scope.truth(&value, condition.value.span()));
            scope.take_notes();
            variable.used.set(used);
            let own = location.key("validation");
            match met {
                Ok(false) => {
                    let text = block.body.get_attribute("error_message");
                    let text = text.and_then(|text| lowering.string(&scope, &text.value, &own)).unwrap_or_default();
                    let message = format!("the value of `{}` fails its validation: {text}", variable.name);
                    if variable.given.is_some() || module.now.is_some() {
                        lowering.refuse(variable.file, condition.value.span(), message, "Set another value.");
                    } else {
                        variable.invalid.set(true);
                        let help = format!("Set it with `--set {}=…`.", variable.name);
                        lowering.changed(&location, format!("{message}; it must be set"), help);
                    }
                }
                Err(error @ (EvalError::Invalid(_) | EvalError::Refused(_) | EvalError::Exceeded(_))) => {
                    lowering.error(error, &own);
                }
                Ok(true) | Err(EvalError::Unsupported(_)) => {}
            }
            lowering.drop(&own, "validation of variables is not supported", "Check the value in a step.");
        }
    }
}

/// Reports unused declarations; scalar variables are reported once the manifest is known.
pub(super) fn unused(module: &Module, declarations: &Declarations, lowering: &Lowering) {
    for local in module.locals.values().filter(|local| !local.used.get()) {
        lowering.drop(&lowering.location(local.file, "local").key(&local.name), UNUSED, "");
    }
    // Values of other data sources can't be imported.
    let imported = ["amazon-ami", "amazon-parameterstore", "amazon-secretsmanager", "null"];
    for data in module.data.values() {
        let location = lowering.location(data.file, format!("data.{}.{}", data.kind, data.name));
        if !data.used.get() {
            lowering.drop(&location, UNUSED, "");
        } else if !imported.contains(&data.kind.as_str()) {
            lowering.drop(
                &location,
                "reading values from other services is not supported",
                "Read it in the workflow before the bake and pass it as a secret or a variable.",
            );
        }
    }
    for source in declarations.sources.values().filter(|source| !source.used.get()) {
        let location = lowering.location(source.file, format!("source.{}.{}", source.kind, source.name));
        lowering.drop(&location, "no build uses it", "");
    }
    for variable in module.variables.values().filter(|variable| variable.is_written_out()) {
        let location = lowering.location(variable.file, format!("variable.{}", variable.name));
        if variable.used.get() && variable.effective().is_none() {
            lowering.drop(
                &location,
                "it has no value during the import, so that the fields that it is used in were left out",
                format!("Set it with `--set '{}=…'` or `--var-file` and import again.", variable.name),
            );
        } else if variable.used.get() {
            lowering.changed(
                &location,
                "its value was written out where it is used, and nothing refers to it any more",
                "Set another value with `--set` or `--var-file` during the import.",
            );
        } else {
            lowering.drop(&location, UNUSED, "");
        }
    }
}
