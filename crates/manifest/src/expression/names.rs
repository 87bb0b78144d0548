//! Which names an expression may use, and where.

use std::collections::BTreeSet;

use super::tree::{Expr, ExprKind, Head};
use crate::words;

/// When a value is evaluated, which decides what is known by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The file's own settings and variables.
    File,
    /// An image before its source is found: `source`, `if`, `platforms`, `matrix`.
    Image,
    /// An image with its source and version.
    Planned,
}

/// Where in an image secrets may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stage: Stage,
    pub(crate) secrets: bool,
    pub(crate) vars: bool,
}

/// The names that the file declares.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) vars: BTreeSet<String>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) matrix: BTreeSet<String>,
}

/// Contexts, from when they are known, and their members: none for plain values, empty for what the file declares.
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

/// What is wrong with a name.
pub(super) struct Wrong {
    pub(super) range: std::ops::Range<usize>,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: String,
}

/// Judges the access of a context.
pub(super) fn judge(access: &Expr, names: &Names, place: Place) -> Option<Wrong> {
    let ExprKind::Access { head, .. } = &access.kind else {
        return None;
    };
    let Head::Name(name, head_range) = head.as_ref() else {
        return None;
    };
    let wrong = |range: &std::ops::Range<usize>, code, message: String, help: String| {
        Some(Wrong { range: range.clone(), code, message, help })
    };
    let Some((context, stage, members)) =
        CONTEXTS.iter().find(|(context, ..)| context.eq_ignore_ascii_case(name) && !context.is_empty())
    else {
        let known: Vec<&str> = CONTEXTS
            .iter()
            .filter(|(context, stage, _)| !context.is_empty() && *stage <= place.stage)
            .map(|(context, ..)| *context)
            .collect();
        let help = if names.vars.contains(name) {
            format!("Did you mean `vars.{name}`?")
        } else if let Some(near) = words::near(name, known.iter().copied()) {
            format!("Did you mean `{near}`?")
        } else {
            format!("Known here: {}. Text stands in single quotes.", words::list(&known, "and"))
        };
        return wrong(head_range, "unknown-name", format!("unknown name `{name}`"), help);
    };
    if *stage > place.stage {
        let help = match *context {
            "source" => {
                "The source is found after this has been decided; use it in the steps, `machine`, `publish` or `deploy`."
            }
            "version" => {
                "The version is found after this has been decided; use it in the steps, `publish` or `deploy`."
            }
            _ => "It belongs to one image; use it below `images` or `defaults`.",
        };
        return wrong(&access.range, "name-not-here", format!("`{context}` is not known here"), help.to_owned());
    }
    if *context == "vars" && !place.vars {
        return wrong(
            &access.range,
            "name-not-here",
            "a variable can't use another variable".to_owned(),
            "Write the value out, or put the expression where the variable is used.".to_owned(),
        );
    }
    if *context == "secrets" && !place.secrets {
        return wrong(
            &access.range,
            "secret-not-here",
            "a secret can't be used here".to_owned(),
            "Secrets go into the `env` of a step, `vars` of `ansible`, or `publish.docker.login`; the script then reads `$NAME`.".to_owned(),
        );
    }
    let members = (*members)?;
    let Some((_, member)) = access.member() else {
        let whole = matches!(&access.kind, ExprKind::Access { path, .. } if path.is_empty());
        let plain = matches!(*context, "version");
        return (whole && !plain).then(|| Wrong {
            range: head_range.clone(),
            code: "unknown-name",
            message: format!("`{context}` alone is no value"),
            help: format!("Name what of it is meant, as in `{context}.{}`.", members.first().unwrap_or(&"NAME")),
        });
    };
    let declared = match *context {
        "vars" => &names.vars,
        "secrets" => &names.secrets,
        "matrix" => &names.matrix,
        "env" => {
            return names.secrets.contains(member).then(|| Wrong {
                range: access.range.clone(),
                code: "secret-not-here",
                message: format!("`{member}` is declared as a secret"),
                help: format!("Read it as `secrets.{member}`, in the `env` of a step."),
            });
        }
        _ => {
            let known = members.iter().any(|known| known.eq_ignore_ascii_case(member));
            return (!known).then(|| Wrong {
                range: access.range.clone(),
                code: "unknown-name",
                message: format!("`{context}` has no `{member}`"),
                help: match words::near(member, members.iter().copied()) {
                    Some(near) => format!("Did you mean `{context}.{near}`?"),
                    None => format!("It has {}.", words::list(members, "and")),
                },
            });
        }
    };
    if declared.iter().any(|known| known.eq_ignore_ascii_case(member)) {
        return None;
    }
    let help = match words::near(member, declared.iter().map(String::as_str)) {
        Some(near) => format!("Did you mean `{context}.{near}`?"),
        None if *context == "secrets" => format!("Add `{member}` to the list `secrets`."),
        None if *context == "matrix" => "The image's `matrix` has no such value.".to_owned(),
        None => format!("Declare it below `vars`, as in `{member}: null` for a value that must be given."),
    };
    let what = match *context {
        "vars" => "variable",
        "secrets" => "secret",
        _ => "matrix value",
    };
    wrong(&access.range, "unknown-name", format!("unknown {what} `{member}`"), help)
}
