//! Checks the `inputs` of a step against its module's table.

use ami_bake_manifest::diagnostic::{Diagnostic, Span};
use ami_bake_manifest::tree::{Kind, Node};

use super::Step;
use super::values::{flag, keys, text, wrong};
use crate::checksum::checksum_tool;
use crate::encoding::Encoding;
use crate::module::{Field, FieldKind, Module, Shape};
use crate::reference::references;

/// Reports all problems in the inputs of a step.
pub(crate) fn validate_inputs(step: &Step, findings: &mut Vec<Diagnostic>) {
    let module = step.module;
    let missing = |help: &str| {
        Diagnostic::error("missing-key", step.span, format!("the step `{}` has no `inputs`", step.name)).help(help)
    };
    let Some(inputs) = &step.inputs else {
        if !module.takes_nothing() {
            findings.push(missing(&format!("`{}` needs {}.", module.name, needs(module))));
        }
        return;
    };
    match module.shape {
        Shape::Any | Shape::Condition => {}
        Shape::Map if matches!(inputs.kind, Kind::Map(_)) => entry(module, inputs, inputs.span, findings),
        // The user guide requires a map; public documents also use a list of one map.
        Shape::Map => match inputs.items() {
            [only] if matches!(only.kind, Kind::Map(_)) => entry(module, only, only.span, findings),
            [] if module.takes_nothing() => {}
            _ => findings.push(wrong(inputs.span, format!("the inputs of `{}` have to be a map", module.name))),
        },
        Shape::List => {
            let items = match &inputs.kind {
                Kind::List(items) if items.is_empty() => {
                    findings.push(missing("The list is empty: the step would do nothing."));
                    return;
                }
                Kind::List(items) => items.as_slice(),
                _ => {
                    findings.push(
                        wrong(inputs.span, format!("the inputs of `{}` have to be a list of maps", module.name)).help(
                            format!("Start with `- {}:`.", module.fields.first().map_or("path", |field| field.name)),
                        ),
                    );
                    return;
                }
            };
            for item in items {
                if matches!(item.kind, Kind::Map(_)) {
                    let place = item.entries().first().map_or(item.span, |entry| entry.key_span);
                    entry(module, item, place, findings);
                } else {
                    findings.push(wrong(
                        item.span,
                        format!("an input of `{}` has to be a map, not {}", module.name, item.describe()),
                    ));
                }
            }
        }
    }
}

fn needs(module: &Module) -> String {
    let names: Vec<&str> = module.fields.iter().filter(|field| field.needed).map(|field| field.name).collect();
    if names.is_empty() { "a condition".to_owned() } else { ami_bake_manifest::words::list(&names, "and") }
}

fn entry(module: &Module, node: &Node, place: Span, findings: &mut Vec<Diagnostic>) {
    let known: Vec<&str> = module.fields.iter().map(|field| field.name).collect();
    keys(node, &known, &format!("the inputs of `{}`", module.name), findings);
    for field in module.fields {
        match node.get(field.name) {
            Some(value) => validate_field(field, value, findings),
            None if field.needed => findings.push(Diagnostic::error(
                "missing-key",
                place,
                format!("an input of `{}` has no `{}`", module.name, field.name),
            )),
            None => {}
        }
    }
    if node.get("checksum").is_some() != node.get("algorithm").is_some() {
        findings.push(
            Diagnostic::error("missing-key", place, "`checksum` and `algorithm` have to be set together")
                .help("Set both, or neither."),
        );
    }
}

fn validate_field(field: &Field, value: &Node, findings: &mut Vec<Diagnostic>) {
    let name = field.name;
    let text = match (field.kind, &value.kind) {
        (FieldKind::Texts, Kind::List(items)) => {
            if field.needed && items.is_empty() {
                findings.push(wrong(value.span, format!("`{name}` is empty: the step would do nothing")));
            }
            for item in items.iter().filter(|item| item.scalar().is_none()) {
                findings.push(
                    wrong(item.span, format!("an item of `{name}` has to be text, not {}", item.describe()))
                        .help("Quote it: YAML reads text with `: ` in it as a map."),
                );
            }
            return;
        }
        (FieldKind::Parameters, Kind::List(items)) => {
            for item in items {
                keys(item, &["name", "value"], "a parameter", findings);
                if ["name", "value"].iter().any(|key| item.get(key).and_then(text).is_none()) {
                    findings.push(
                        wrong(item.span, "a parameter requires `name` and `value`".to_owned())
                            .help("Write `- {name: Version, value: \"1.26\"}`."),
                    );
                }
            }
            return;
        }
        (FieldKind::Texts | FieldKind::Parameters, _) => {
            findings.push(wrong(value.span, format!("`{name}` has to be a list, not {}", value.describe())));
            return;
        }
        (_, Kind::Scalar(scalar)) => scalar.text.as_str(),
        _ => {
            findings.push(wrong(value.span, format!("`{name}` has to be text, not {}", value.describe())));
            return;
        }
    };
    // The value of a reference is only known at run time.
    if references(text).next().is_some() {
        return;
    }
    let problem = match field.kind {
        FieldKind::Path if is_windows(text) => {
            Some((format!("`{text}` is a Windows path"), "Documents run on Linux here: write the path with `/`."))
        }
        FieldKind::Flag if flag(text).is_none() => {
            Some((format!("`{name}` has to be `true` or `false`"), "Words such as `yes` and `on` are text here."))
        }
        FieldKind::Seconds if text.parse::<u32>().is_err() => {
            Some((format!("`{name}` has to be a whole number of seconds"), "Write only digits."))
        }
        FieldKind::Permissions if permissions(text).is_none() => {
            Some((format!("`{text}` is not a valid file mode"), "Write it in octal digits, such as \"0644\"."))
        }
        FieldKind::Encoding if Encoding::of(text).is_none() => Some((
            format!("`{text}` is not a supported encoding"),
            "Supported: utf8, utf16 and utf32, the latter two also with -LE and -BE.",
        )),
        FieldKind::Algorithm if checksum_tool(text).is_none() => Some((
            format!("`{text}` is not a supported checksum algorithm"),
            "Supported: MD5, SHA1, SHA256 and SHA512.",
        )),
        FieldKind::Object if ami_bake_core::services::ObjectPath::parse(text).is_err() => {
            Some((format!("`{text}` is not a valid S3 location"), "Write it as `s3://BUCKET/KEY`."))
        }
        FieldKind::Address if !(text.starts_with("http://") || text.starts_with("https://")) => {
            Some((format!("`{text}` is not a valid web address"), "Write it as `https://HOST/PATH`."))
        }
        _ => None,
    };
    if let Some((message, help)) = problem {
        findings.push(wrong(value.span, message).help(help));
    }
}

/// Whether a path begins with a drive letter or is a share.
fn is_windows(path: &str) -> bool {
    let mut chars = path.chars();
    let drive = chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':');
    (drive && matches!(chars.next(), Some('\\' | '/'))) || path.starts_with("\\\\")
}

/// Parses permission bits: octal digits, however YAML reads them.
pub(crate) fn permissions(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let good = (1..=5).contains(&digits.len()) && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    good.then(|| u32::from_str_radix(digits, 8).ok()).flatten().filter(|mode| *mode <= 0o7777)
}
