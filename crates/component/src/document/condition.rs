//! Comparison and logical operators (user guide, toe-comparison-operators and toe-logical-operators).

use ami_bake_manifest::diagnostic::Diagnostic;
use ami_bake_manifest::tree::{Entry, Kind, Node};

use super::values::{suggestion, wrong};

/// A condition.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Empty(Node),
    Blank(Node),
    /// The comparison `value OPERATOR operand`.
    Text {
        test: Comparison,
        operand: Node,
        value: Node,
    },
    Pattern {
        pattern: Node,
        value: Node,
    },
    Number {
        test: Comparison,
        operand: Node,
        value: Node,
    },
    Binary(Node),
    File(Node),
    Folder(Node),
    /// Compares the checksum of the file at `path`, computed by `tool`.
    Checksum {
        tool: &'static str,
        checksum: Node,
        path: Node,
    },
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equals,
    Less,
    LessEquals,
    Greater,
    GreaterEquals,
}

const OPERATORS: [&str; 23] = [
    "stringIsEmpty",
    "stringIsWhitespace",
    "stringEquals",
    "stringLessThan",
    "stringLessThanEquals",
    "stringGreaterThan",
    "stringGreaterThanEquals",
    "patternMatches",
    "numberEquals",
    "numberLessThan",
    "numberLessThanEquals",
    "numberGreaterThan",
    "numberGreaterThanEquals",
    "binaryExists",
    "fileExists",
    "folderExists",
    "fileMD5Equals",
    "fileSHA1Equals",
    "fileSHA256Equals",
    "fileSHA512Equals",
    "and",
    "or",
    "not",
];

/// Parses a map with one operator. `beside` are additional keys of the map.
pub(super) fn read(node: &Node, beside: &[&str], findings: &mut Vec<Diagnostic>) -> Option<Condition> {
    if !matches!(node.kind, Kind::Map(_)) {
        findings.push(
            wrong(node.span, format!("a condition has to be a map with one operator, not {}", node.describe()))
                .help("For example: `fileExists: /etc/motd`."),
        );
        return None;
    }
    let second = |key: &str| key == "value" || key == "path" || beside.contains(&key);
    let mut operators = node.entries().iter().filter(|entry| !second(&entry.key));
    let (Some(entry), None) = (operators.next(), operators.next()) else {
        findings.push(
            wrong(node.span, "a condition has exactly one operator".to_owned())
                .help("List several below `and` or `or`."),
        );
        return None;
    };
    operator(node, entry, findings)
}

fn operator(node: &Node, entry: &Entry, findings: &mut Vec<Diagnostic>) -> Option<Condition> {
    // Two of the user guide's own samples write `stringlessThan`.
    let Some(name) = OPERATORS.iter().find(|name| name.eq_ignore_ascii_case(&entry.key)) else {
        findings.push(
            Diagnostic::error("unknown-key", entry.key_span, format!("unknown operator `{}`", entry.key))
                .help(suggestion(&entry.key, &OPERATORS)),
        );
        return None;
    };
    match *name {
        "and" | "or" => {
            let mut all = Vec::new();
            if entry.value.items().is_empty() {
                findings.push(wrong(entry.value.span, format!("`{name}` takes a list of conditions")));
            }
            for item in entry.value.items() {
                all.push(read(item, &[], findings)?);
            }
            return Some(if *name == "and" { Condition::And(all) } else { Condition::Or(all) });
        }
        "not" => {
            let inner = match entry.value.items() {
                [only] => only,
                _ => &entry.value,
            };
            return read(inner, &[], findings).map(|inner| Condition::Not(Box::new(inner)));
        }
        _ => {}
    }
    let operand = entry.value.clone();
    if operand.scalar().is_none() {
        findings.push(wrong(operand.span, format!("`{name}` takes a single value, not {}", operand.describe())));
        return None;
    }
    let mut other = |key: &str| {
        let found = node.get(key).filter(|value| value.scalar().is_some()).cloned();
        if found.is_none() {
            let message = format!("`{name}` requires `{key}`");
            findings.push(Diagnostic::error("missing-key", entry.key_span, message));
        }
        found
    };
    let compare = match name.strip_prefix("string").or_else(|| name.strip_prefix("number")) {
        Some("Equals") => Some(Comparison::Equals),
        Some("LessThan") => Some(Comparison::Less),
        Some("LessThanEquals") => Some(Comparison::LessEquals),
        Some("GreaterThan") => Some(Comparison::Greater),
        Some("GreaterThanEquals") => Some(Comparison::GreaterEquals),
        _ => None,
    };
    if let Some(test) = compare {
        let value = other("value")?;
        return Some(if name.starts_with("string") {
            Condition::Text { test, operand, value }
        } else {
            Condition::Number { test, operand, value }
        });
    }
    let tool = match *name {
        "stringIsEmpty" => return Some(Condition::Empty(operand)),
        "stringIsWhitespace" => return Some(Condition::Blank(operand)),
        "binaryExists" => return Some(Condition::Binary(operand)),
        "fileExists" => return Some(Condition::File(operand)),
        "folderExists" => return Some(Condition::Folder(operand)),
        "patternMatches" => return Some(Condition::Pattern { value: other("value")?, pattern: operand }),
        "fileMD5Equals" => "md5sum",
        "fileSHA1Equals" => "sha1sum",
        "fileSHA256Equals" => "sha256sum",
        _ => "sha512sum",
    };
    Some(Condition::Checksum { tool, path: other("path")?, checksum: operand })
}

impl Condition {
    /// Calls `each` with all values in the condition.
    pub(crate) fn values<'a>(&'a self, each: &mut dyn FnMut(&'a Node)) {
        match self {
            Self::Empty(node) | Self::Blank(node) | Self::Binary(node) | Self::File(node) | Self::Folder(node) => {
                each(node);
            }
            Self::Text { operand, value, .. } | Self::Number { operand, value, .. } => {
                each(operand);
                each(value);
            }
            Self::Pattern { pattern, value } => {
                each(pattern);
                each(value);
            }
            Self::Checksum { checksum, path, .. } => {
                each(checksum);
                each(path);
            }
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.values(each)),
            Self::Not(one) => one.values(each),
        }
    }
}
