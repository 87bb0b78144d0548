//! Turns schema errors into messages: the actual value, the expected one, and the probable intention.

use ami_bake_core::{Route, Segment};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::instance_path::segments;
use super::wrong_type::{self, type_names};
use crate::diagnostic::{Diagnostic, MOST_FINDINGS, Span};
use crate::model::{COMMON_KEYS, STEP_TYPES, StepType, step_type};
use crate::tree::{Kind, Node};
use crate::words;

/// Explains the errors of one document.
pub(super) struct Explainer<'a> {
    pub(super) schema: &'a Value,
    /// The document that was validated.
    pub(super) node: &'a Node,
    /// Route of the value in the manifest.
    pub(super) base: &'a Route,
}

/// Location of an error.
struct ErrorLocation<'a> {
    route: Route,
    node: Option<&'a Node>,
    span: Span,
    name: String,
}

impl<'a> Explainer<'a> {
    pub(super) fn explain(&self, error: &ValidationError<'_>, findings: &mut Vec<Diagnostic>) {
        let instance = error.instance().as_ref();
        if instance.as_str().is_some_and(|text| text.contains("${{")) {
            // An expression; it is validated after its evaluation.
            return;
        }
        let place = self.place(error);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                // Finding a suggestion takes longer with each unknown key.
                for key in unexpected.iter().take(MOST_FINDINGS) {
                    findings.push(self.unknown_key(error, &place, key));
                }
            }
            ValidationErrorKind::Required { property } => {
                let property = property.as_str().unwrap_or_default();
                let mistyped = |node: &Node| {
                    node.entries().iter().any(|entry| words::near(&entry.key, [property].into_iter()).is_some())
                };
                // Reported as an unknown key, with the missing key as the suggestion.
                if !place.node.is_some_and(mistyped) {
                    findings.push(self.missing(error, &place, property));
                }
            }
            ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::OneOfMultipleValid { context } => {
                self.step(&place, context, findings);
            }
            ValidationErrorKind::AnyOf { context } => self.choice(&place, instance, context, findings),
            kind => findings.push(self.value(error, &place, instance, kind)),
        }
    }

    fn place(&self, error: &ValidationError<'_>) -> ErrorLocation<'a> {
        let segments = segments(error, self.node);
        let node = self.node.at(&segments);
        let span = self.node.place(&Route(segments.clone()));
        let name = match segments.iter().rev().find_map(|segment| match segment {
            Segment::Key(key) => Some(key.clone()),
            Segment::Index(_) => None,
        }) {
            Some(name) if matches!(segments.last(), Some(Segment::Index(_))) => format!("an item of `{name}`"),
            Some(name) => format!("`{name}`"),
            None => "the manifest".to_owned(),
        };
        let mut full = self.base.0.clone();
        full.extend(segments);
        ErrorLocation { route: Route(full), node, span, name }
    }

    /// The schema that contains the failed keyword.
    fn failed(&self, error: &ValidationError<'_>) -> Option<&'a Value> {
        let pointer = error.schema_path().as_str();
        let (parent, _) = pointer.rsplit_once('/')?;
        self.schema.pointer(parent)
    }

    fn unknown_key(&self, error: &ValidationError<'_>, place: &ErrorLocation<'_>, key: &str) -> Diagnostic {
        let span = place.node.and_then(|node| node.entry(key)).map_or(place.span, |entry| entry.key_span);
        let known: Vec<&str> = self
            .failed(error)
            .and_then(|schema| schema.get("properties"))
            .and_then(Value::as_object)
            .map(|properties| properties.keys().map(String::as_str).collect())
            .unwrap_or_default();
        let finding =
            Diagnostic::error("unknown-key", span, format!("unknown key `{key}`")).route(place.route.key(key));
        let owners = self.step_types_with(key);
        let in_step = known.contains(&"on-failure");
        finding.help(match words::near(key, known.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None if in_step && !owners.is_empty() => format!("`{key}` belongs to {}.", words::list(&owners, "and")),
            None if known.is_empty() => "No keys are allowed here.".to_owned(),
            None => format!("Valid keys: {}.", words::list(&known, "and")),
        })
    }

    /// The step types that have this key.
    fn step_types_with(&self, key: &str) -> Vec<&'static str> {
        let has = |known: &&StepType| {
            let name = format!("/$defs/{}/properties/{key}", known.definition());
            !COMMON_KEYS.contains(&key) && self.schema.pointer(&name).is_some()
        };
        STEP_TYPES.iter().filter(has).map(|known| known.key).collect()
    }

    fn missing(&self, error: &ValidationError<'_>, place: &ErrorLocation<'_>, key: &str) -> Diagnostic {
        let message = match place.route.0.last() {
            None => format!("the manifest has no `{key}`"),
            Some(_) => format!("{} has no `{key}`", place.name),
        };
        let finding = Diagnostic::error("missing-key", place.span, message).route(place.route.clone());
        let property = self.failed(error).and_then(|schema| schema.get("properties")).and_then(|keys| keys.get(key));
        match property.and_then(|property| self.description(property)) {
            Some(description) => finding.help(format!("Add `{key}`: {}", first_sentence(description))),
            None => finding.help(format!("Add `{key}`.")),
        }
    }

    fn description<'b>(&'b self, schema: &'b Value) -> Option<&'b str> {
        let own = schema.get("description").and_then(Value::as_str);
        own.or_else(|| {
            let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
            self.schema.pointer(pointer)?.get("description")?.as_str()
        })
    }

    /// Explains a step that matches no step type: only the errors of its own type are helpful.
    fn step(
        &self,
        place: &ErrorLocation<'_>,
        context: &[Vec<ValidationError<'static>>],
        findings: &mut Vec<Diagnostic>,
    ) {
        // A step that is not a map has been reported already.
        let Some(node) = place.node.filter(|node| matches!(node.kind, Kind::Map(_))) else {
            return;
        };
        let types: Vec<_> = node.entries().iter().filter(|entry| step_type(&entry.key).is_some()).collect();
        match types.as_slice() {
            [] => {
                let keys: Vec<&str> = node.entries().iter().map(|entry| entry.key.as_str()).collect();
                let near = keys.iter().filter(|key| !COMMON_KEYS.contains(key)).find_map(|key| {
                    words::near(key, STEP_TYPES.iter().map(|known| known.key)).map(|near| (*key, near))
                });
                let span = near.and_then(|(key, _)| node.entry(key)).map_or(place.span, |entry| entry.key_span);
                let finding = Diagnostic::error("no-step-type", span, "missing step type").route(place.route.clone());
                findings.push(finding.help(match near {
                    Some((_, near)) => format!("Did you mean `{near}`?"),
                    None => format!("Add one of {}.", words::list(&STEP_TYPES.map(|known| known.key), "or")),
                }));
            }
            [entry] => {
                let branch = STEP_TYPES.iter().position(|known| known.key == entry.key);
                for error in branch.and_then(|branch| context.get(branch)).into_iter().flatten() {
                    self.explain(error, findings);
                }
            }
            [first, rest @ ..] => {
                let names: Vec<&str> = types.iter().map(|entry| entry.key.as_str()).collect();
                let count = if names.len() == 2 { "two".to_owned() } else { names.len().to_string() };
                findings.push(
                    Diagnostic::error(
                        "two-step-types",
                        rest[0].key_span,
                        format!("{count} step types in one step: {}", words::list(&names, "and")),
                    )
                    .related(first.key_span, "first step type")
                    .route(place.route.clone())
                    .help("Split it into one step for each."),
                );
            }
        }
    }

    /// Explains a value that matches no alternative: only the errors of the alternative with its type are helpful.
    fn choice(
        &self,
        place: &ErrorLocation<'_>,
        instance: &Value,
        context: &[Vec<ValidationError<'static>>],
        findings: &mut Vec<Diagnostic>,
    ) {
        let here =
            |error: &ValidationError<'_>| segments(error, self.node).len() + self.base.0.len() == place.route.0.len();
        let wrong_type =
            |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::Type { .. }) && here(error);
        if let Some(branch) = context.iter().find(|branch| !branch.is_empty() && !branch.iter().any(wrong_type)) {
            for error in branch {
                self.explain(error, findings);
            }
            return;
        }
        let mut expected: Vec<&str> = Vec::new();
        for error in context.iter().flatten() {
            if let ValidationErrorKind::Type { kind } = error.kind() {
                for name in type_names(kind) {
                    if !expected.contains(&name) {
                        expected.push(name);
                    }
                }
            }
        }
        findings.push(wrong_type::finding(&place.name, place.span, instance, &expected).route(place.route.clone()));
    }

    fn value(
        &self,
        error: &ValidationError<'_>,
        place: &ErrorLocation<'_>,
        instance: &Value,
        kind: &ValidationErrorKind,
    ) -> Diagnostic {
        let failed = self.failed(error);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let at = |code, message: String| Diagnostic::error(code, place.span, message).route(place.route.clone());
        match kind {
            ValidationErrorKind::Type { kind } => {
                wrong_type::finding(&place.name, place.span, instance, &type_names(kind)).route(place.route.clone())
            }
            ValidationErrorKind::Enum { options } => {
                let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let given = text(instance);
                let finding = at("wrong-value", format!("`{given}` is not valid for {}", place.name));
                let list = words::list(&options, "or");
                finding.help(match words::near(&given, options.iter().copied()) {
                    Some(near) => format!("Did you mean `{near}`? Valid values: {list}."),
                    None => format!("Valid values: {list}."),
                })
            }
            ValidationErrorKind::Constant { expected_value } => {
                let finding = at("wrong-value", format!("`{}` is not valid for {}", text(instance), place.name));
                if place.route.to_string() == "format" {
                    return finding.help(format!(
                        "This version of ami-bake reads format {expected_value}. A newer format needs a newer ami-bake."
                    ));
                }
                finding.help(format!("The only valid value is `{expected_value}`."))
            }
            ValidationErrorKind::Pattern { .. } => {
                let title = failed.and_then(|schema| schema.get("title")).and_then(Value::as_str).unwrap_or("value");
                let finding = at("wrong-value", format!("`{}` is not a valid {title}", text(instance)));
                match examples(failed) {
                    Some(examples) => finding.help(format!("Use a value such as {examples}.")),
                    None => finding,
                }
            }
            ValidationErrorKind::PropertyNames { error } => {
                let key = text(error.instance());
                let schema = self.failed(error);
                let title = schema.and_then(|schema| schema.get("title")).and_then(Value::as_str).unwrap_or("key");
                let span = place.node.and_then(|node| node.entry(&key)).map_or(place.span, |entry| entry.key_span);
                let finding = Diagnostic::error("wrong-key", span, format!("`{key}` is not a valid {title}"))
                    .route(place.route.key(key));
                match examples(schema) {
                    Some(examples) => finding.help(format!("Use a name such as {examples}.")),
                    None => finding,
                }
            }
            ValidationErrorKind::Minimum { limit } | ValidationErrorKind::ExclusiveMinimum { limit } => {
                at("wrong-value", format!("{} must be at least {limit}, not {instance}", place.name))
            }
            ValidationErrorKind::Maximum { limit } | ValidationErrorKind::ExclusiveMaximum { limit } => {
                at("wrong-value", format!("{} must be at most {limit}, not {instance}", place.name))
            }
            ValidationErrorKind::MinItems { .. } => at("empty", format!("the list of {} is empty", place.name)),
            ValidationErrorKind::MinLength { .. } => at("empty", format!("{} is empty", place.name)),
            ValidationErrorKind::MaxLength { limit } => {
                at("wrong-value", format!("{} is longer than {limit} characters", place.name))
            }
            ValidationErrorKind::MinProperties { .. } => {
                let finding = at("empty", format!("{} is empty", place.name));
                match keys(failed) {
                    Some(keys) => finding.help(format!("Add one of {keys}.")),
                    None => finding,
                }
            }
            ValidationErrorKind::MaxProperties { .. } => {
                let keys: Vec<&str> =
                    place.node.map(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.as_str()).collect();
                at(
                    "too-many-keys",
                    format!("{} has {}, but only one of them is allowed", place.name, words::list(&keys, "and")),
                )
                .help("Split it into one step for each.")
            }
            _ => at("schema", error.to_string()),
        }
    }
}

/// The examples of a schema, as a list for messages.
fn examples(schema: Option<&Value>) -> Option<String> {
    let examples: Vec<&str> = schema?.get("examples")?.as_array()?.iter().filter_map(Value::as_str).collect();
    (!examples.is_empty()).then(|| words::list(&examples, "or"))
}

/// The keys of a schema, as a list for messages.
fn keys(schema: Option<&Value>) -> Option<String> {
    let keys: Vec<&str> = schema?.get("properties")?.as_object()?.keys().map(String::as_str).collect();
    Some(words::list(&keys, "or"))
}

fn first_sentence(text: &str) -> String {
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    let mut sentence = text[..end].replace('\n', " ");
    if let Some(first) = sentence.chars().next() {
        sentence.replace_range(..first.len_utf8(), &first.to_lowercase().to_string());
    }
    sentence
}
