//! Formats a step's environment as shell text, reading its secrets at that moment.

use ami_bake_core::plan::{SecretPart, Step, Value};
use ami_bake_core::shell::quote;
use ami_bake_core::{Error, Result, Run};
use secrecy::ExposeSecret as _;

/// Variables that a shell refuses to set; the whole script would end with an obscure message.
const READ_ONLY: [&str; 6] = ["UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS", "BASH_VERSINFO"];

/// One `export` for each variable. Every secret is known to the masker before this returns.
///
/// # Errors
/// As [`variables`].
pub(crate) fn environment(run: &Run, step: &Step) -> Result<String> {
    let mut text = String::new();
    for (name, value) in variables(run, step)? {
        text.push_str("export ");
        text.push_str(&name);
        text.push('=');
        text.push_str(&quote(&value));
        text.push('\n');
    }
    Ok(text)
}

/// The variables with their values. Every secret is known to the masker before this returns.
///
/// # Errors
/// When a name is invalid in a shell, a value contains NUL, or a secret has no value.
pub(crate) fn variables(run: &Run, step: &Step) -> Result<Vec<(String, String)>> {
    let mut variables = Vec::with_capacity(step.env.len());
    for (name, value) in &step.env {
        let route = step.route.key("env").key(name);
        check_name(name).map_err(|error| error.at(route.clone()))?;
        let value = resolve(run, name, value).map_err(|error| error.at(route.clone()))?;
        if value.contains('\0') {
            let message = format!("the environment variable `{name}` contains a NUL character, which is not allowed");
            return Err(Error::manifest(message).at(route));
        }
        variables.push((name.clone(), value));
    }
    Ok(variables)
}

fn check_name(name: &str) -> Result<()> {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if !begins || !characters.all(|character| character.is_ascii_alphanumeric() || character == '_') {
        return Err(Error::manifest(format!("`{name}` is not a valid name for an environment variable"))
            .help("Use letters, digits and `_`, and don't start with a digit."));
    }
    if READ_ONLY.contains(&name) || name.starts_with("ami_bake") {
        return Err(Error::manifest(format!(
            "the environment variable `{name}` can't be set: it is reserved by the shell"
        ))
        .help("Choose another name."));
    }
    Ok(())
}

fn resolve(run: &Run, variable: &str, value: &Value) -> Result<String> {
    let whole = exposed(run, variable, value, &str::to_owned)?;
    if matches!(value, Value::Secret(_)) {
        run.masker().add(&whole);
    }
    Ok(whole)
}

/// A value with its secrets filled in, formatted by `written`; the masker knows both forms. `of` names the value's
/// owner in errors.
///
/// # Errors
/// When a secret has no value.
pub(crate) fn exposed(run: &Run, of: &str, value: &Value, written: &dyn Fn(&str) -> String) -> Result<String> {
    let parts = match value {
        Value::Plain(text) => return Ok(text.clone()),
        Value::Secret(parts) => parts,
    };
    let mut whole = String::new();
    for part in parts {
        match part {
            SecretPart::Text(text) => whole.push_str(text),
            SecretPart::Name(name) => {
                let secret = run.secret(name).ok_or_else(|| {
                    Error::preflight(format!("the secret `{name}`, used in `{of}`, has no value"))
                        .help(format!("List `{name}` under `secrets` and set it in the environment of ami-bake."))
                })?;
                run.masker().add(secret.expose_secret());
                let text = written(secret.expose_secret());
                run.masker().add(&text);
                whole.push_str(&text);
            }
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_validated() {
        for good in ["A", "_x1", "DEBIAN_FRONTEND"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "1A", "A-B", "A B", "Ä", "UID", "A=B"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
