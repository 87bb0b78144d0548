//! The names that an expression may use, by its position.

use std::collections::BTreeSet;

use super::tree::{Expr, ExprKind, Head};
use crate::access::VisibleEnv;
use crate::words;

/// The time at which a value is evaluated, which determines the known names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The file's own settings and variables.
    File,
    /// An image before its source is found: `source`, `if`, `platforms`, `matrix`.
    Image,
    /// An image with its source and version.
    Planned,
}

/// The names that an expression may use at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AllowedNames {
    pub(crate) stage: Stage,
    pub(crate) secrets: bool,
    pub(crate) vars: bool,
}

/// The names that the manifest declares.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) vars: BTreeSet<String>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) matrix: BTreeSet<String>,
    pub(crate) env: VisibleEnv,
}

/// Contexts, when they are known, and their members: `None` for plain values, empty if the manifest declares them.
const CONTEXTS: [(&str, Stage, Option<&[&str]>); 16] = [
    ("vars", Stage::File, Some(&[])),
    ("env", Stage::File, Some(&[])),
    ("secrets", Stage::File, Some(&[])),
    ("environment", Stage::File, None),
    ("platform", Stage::File, None),
    ("git", Stage::File, Some(&["sha", "short-sha", "ref", "branch", "tag"])),
    ("github", Stage::File, Some(&["run-id", "actor", "repository", "pr"])),
    ("timestamp", Stage::File, None),
    ("date", Stage::File, None),
    ("name", Stage::Image, None),
    ("region", Stage::Image, None),
    ("image", Stage::Image, None),
    ("matrix", Stage::Image, Some(&[])),
    ("version", Stage::Planned, Some(&["major", "minor", "patch", "prerelease"])),
    ("source", Stage::Planned, Some(&["id", "name", "owner", "created", "tags"])),
    ("", Stage::Planned, None),
];

/// An invalid use of a name.
pub(super) struct NameError {
    pub(super) range: std::ops::Range<usize>,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: String,
}

/// Checks an access to a context.
pub(super) fn check_access(access: &Expr, names: &Names, allowed: AllowedNames) -> Option<NameError> {
    let ExprKind::Access { head, .. } = &access.kind else {
        return None;
    };
    let Head::Name(name, head_range) = head.as_ref() else {
        return None;
    };
    let wrong = |range: &std::ops::Range<usize>, code, message: String, help: String| {
        Some(NameError { range: range.clone(), code, message, help })
    };
    let Some((context, stage, members)) =
        CONTEXTS.iter().find(|(context, ..)| context.eq_ignore_ascii_case(name) && !context.is_empty())
    else {
        let known: Vec<&str> = CONTEXTS
            .iter()
            .filter(|(context, stage, _)| !context.is_empty() && *stage <= allowed.stage)
            .map(|(context, ..)| *context)
            .collect();
        let help = if names.vars.contains(name) {
            format!("Did you mean `vars.{name}`?")
        } else if let Some(near) = words::near(name, known.iter().copied()) {
            format!("Did you mean `{near}`?")
        } else {
            format!("Available: {}. Put strings in single quotes.", words::list(&known, "and"))
        };
        return wrong(head_range, "unknown-name", format!("unknown name `{name}`"), help);
    };
    if *stage > allowed.stage {
        let help = match *context {
            "source" => {
                "The source is not known yet when this is evaluated. Use it in steps, `machine`, `publish` or `deploy`."
            }
            "version" => "The version is not known yet when this is evaluated. Use it in steps, `publish` or `deploy`.",
            _ => "It is only known for an image. Use it below `images` or `defaults`.",
        };
        return wrong(&access.range, "name-not-here", format!("`{context}` is not available here"), help.to_owned());
    }
    if *context == "vars" && !allowed.vars {
        return wrong(
            &access.range,
            "name-not-here",
            "a variable cannot use another variable".to_owned(),
            "Write the value itself, or move the expression to where the variable is used.".to_owned(),
        );
    }
    if *context == "secrets" && !allowed.secrets {
        return wrong(
            &access.range,
            "secret-not-here",
            "secrets are not allowed here".to_owned(),
            "Secrets are allowed in the `env` of a step, `vars` of `ansible` and `publish.docker.login`. Scripts read them as `$NAME`.".to_owned(),
        );
    }
    let members = (*members)?;
    let Some((_, member)) = access.member() else {
        let whole = matches!(&access.kind, ExprKind::Access { path, .. } if path.is_empty());
        let plain = matches!(*context, "version");
        return (whole && !plain).then(|| NameError {
            range: head_range.clone(),
            code: "unknown-name",
            message: format!("`{context}` is not a value"),
            help: format!("Use one of its members, such as `{context}.{}`.", members.first().unwrap_or(&"NAME")),
        });
    };
    let declared = match *context {
        "vars" => &names.vars,
        "secrets" => &names.secrets,
        "matrix" => &names.matrix,
        "env" => {
            if names.secrets.contains(member) {
                let help = format!("Use `secrets.{member}` in the `env` of a step.");
                return wrong(&access.range, "secret-not-here", format!("`{member}` is declared as a secret"), help);
            }
            let hidden = names.env.hidden(member)?;
            return wrong(&access.range, "hidden-variable", hidden.message, hidden.help);
        }
        _ => {
            let known = members.iter().any(|known| known.eq_ignore_ascii_case(member));
            return (!known).then(|| NameError {
                range: access.range.clone(),
                code: "unknown-name",
                message: format!("`{context}` has no `{member}`"),
                help: match words::near(member, members.iter().copied()) {
                    Some(near) => format!("Did you mean `{context}.{near}`?"),
                    None => format!("Available: {}.", words::list(members, "and")),
                },
            });
        }
    };
    if declared.contains(member) || declared.iter().any(|known| known.eq_ignore_ascii_case(member)) {
        return None;
    }
    let help = match words::near(member, declared.iter().map(String::as_str)) {
        Some(near) => format!("Did you mean `{context}.{near}`?"),
        None if *context == "secrets" => format!("Add `{member}` to `secrets`."),
        None if *context == "matrix" => "Add it to the `matrix` of the image.".to_owned(),
        None => format!("Declare it below `vars`; `{member}: null` makes it required."),
    };
    let what = match *context {
        "vars" => "variable",
        "secrets" => "secret",
        _ => "matrix value",
    };
    wrong(&access.range, "unknown-name", format!("unknown {what} `{member}`"), help)
}
