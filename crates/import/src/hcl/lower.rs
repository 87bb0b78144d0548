//! Converts values of HCL to values of the template.

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use ami_bake_manifest::budget::STEP;
use hcl_edit::Span;
use hcl_edit::expr::Expression;
use indexmap::IndexMap;

use super::error::{EvalError, EvalResult, TemplateError};
use super::module::Module;
use super::scope::Scope;
use super::value::{HclValue, Text, TextPart};
use crate::input::{FindingKind, InputValue, Location, Log, Member, Source, SourceComment, ValueKind};
use crate::template::parse::{Argument, Pipeline};
use crate::template::{Template, Unsupported, call};

/// Maximum number of errors; nobody reads more.
const MOST_ERRORS: usize = 100;

/// Inputs and outputs of the conversion.
pub(super) struct Lowering<'l> {
    pub(super) log: &'l Log,
    pub(super) files: &'l [&'l Source],
    pub(super) names: Vec<Rc<str>>,
    /// Errors in the template.
    pub(super) errors: Vec<TemplateError>,
    known: HashSet<TemplateError>,
    /// The data source that provides the current source's image.
    pub(super) origin: Option<String>,
}

impl<'l> Lowering<'l> {
    pub(super) fn new(files: &'l [&'l Source], log: &'l Log) -> Self {
        let names = files.iter().map(|source| Rc::from(source.path.display().to_string())).collect();
        Self { log, files, names, errors: Vec::new(), known: HashSet::new(), origin: None }
    }

    /// A location in a file of the template.
    pub(super) fn location(&self, file: usize, path: impl Into<String>) -> Location {
        Location { file: self.names.get(file).cloned().unwrap_or_default(), path: path.into(), span: None }
    }

    /// Reports that an attribute or block is not imported.
    pub(super) fn drop(&self, location: &Location, why: impl Into<String>, help: impl Into<String>) {
        self.log.report(FindingKind::Dropped, location, why, help);
    }

    /// Reports that an attribute or block is imported with a slightly different meaning.
    pub(super) fn changed(&self, location: &Location, why: impl Into<String>, help: impl Into<String>) {
        self.log.report(FindingKind::Changed, location, why, help);
    }

    /// Handles an error at a location: reports it, or records it as an error in the template.
    pub(super) fn error(&mut self, error: EvalError, location: &Location) {
        match error {
            EvalError::Unsupported(unsupported) => self.drop(location, unsupported.why, unsupported.help),
            EvalError::Invalid(error) | EvalError::Refused(error) => self.refused(*error),
            // Where it was used up is not known any more: the place that asked last is shown.
            EvalError::Exceeded(exceeded) => self.log.unsupported(location, exceeded.into()),
        }
    }

    /// Once the budget is used up everything fails, so only the first of these errors is kept.
    fn refused(&mut self, error: TemplateError) {
        if self.known.insert(error.clone()) && self.errors.len() < MOST_ERRORS {
            self.errors.push(error);
        }
    }

    /// Records an error in the template.
    pub(super) fn refuse(
        &mut self,
        file: usize,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.error(EvalError::invalid(file, span, message, help), &Location::default());
    }

    /// The value of an attribute, with its notes reported; `None` after an error, which is reported.
    pub(super) fn value(&mut self, scope: &Scope, expr: &Expression, location: &Location) -> Option<HclValue> {
        let result = scope.eval(expr);
        let notes = scope.take_notes();
        match result {
            Ok(value) => {
                for note in notes {
                    self.changed(location, note, "");
                }
                Some(value)
            }
            Err(error) => {
                self.error(error, location);
                None
            }
        }
    }

    /// The text of an attribute during the import.
    pub(super) fn string(&mut self, scope: &Scope, expr: &Expression, location: &Location) -> Option<String> {
        let value = self.value(scope, expr, location)?;
        scope.string(&value, expr.span()).map_err(|error| self.error(error, location)).ok()
    }

    /// The texts of an attribute during the import.
    pub(super) fn strings(&mut self, scope: &Scope, expr: &Expression, location: &Location) -> Option<Vec<String>> {
        let items = match self.value(scope, expr, location)? {
            HclValue::Null => return None,
            HclValue::List(items) => items,
            other => vec![other],
        };
        let texts = items.iter().map(|item| scope.string(item, expr.span())).collect::<EvalResult<Vec<_>>>();
        texts.map_err(|error| self.error(error, location)).ok()
    }

    /// Converts an attribute. The entries of a map literal are reported one by one.
    pub(super) fn attribute(&mut self, scope: &Scope, expr: &Expression, location: &Location) -> Option<InputValue> {
        let location = &location.clone().at(expr.span());
        if let Expression::Object(entries) = expr {
            let mut members: IndexMap<String, InputValue> = IndexMap::new();
            for (name, value) in entries {
                let name = match scope.key(name) {
                    Ok(name) => name,
                    Err(error) => {
                        self.error(error, location);
                        continue;
                    }
                };
                if let Some(value) = self.attribute(scope, value.expr(), &location.key(&name)) {
                    members.insert(name, value);
                }
            }
            let members = members.into_iter().map(|(key, value)| Member { key, value }).collect();
            return Some(InputValue::new(ValueKind::Map(members), location.clone()));
        }
        let value = self.value(scope, expr, location)?;
        let comments = scope.module.comments.take();
        if let Some(span) = location.span.clone().filter(|_| !comments.is_empty()) {
            self.log.comment(SourceComment { file: Rc::clone(&location.file), span, lines: comments, may_move: false });
        }
        match self.lower(scope.module, &value, location) {
            Ok(value) => Some(with_spans(value, expr)),
            Err(error) => {
                self.error(error.at(scope.file, expr.span()), location);
                None
            }
        }
    }

    /// Converts a value.
    pub(super) fn lower(&self, module: &Module, value: &HclValue, location: &Location) -> EvalResult<InputValue> {
        module.spend(STEP + location.path.len())?;
        let kind = match value {
            HclValue::Null => ValueKind::Null,
            HclValue::Bool(value) => ValueKind::Bool(*value),
            HclValue::Number(number) => ValueKind::Number(number.text()),
            HclValue::Text(text) => ValueKind::Text(self.template(text)?),
            HclValue::List(items) => ValueKind::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| self.lower(module, item, &location.index(at)))
                    .collect::<Result<_, _>>()?,
            ),
            HclValue::Map(entries) => {
                let member = |(key, value): (&String, &HclValue)| {
                    Ok(Member { key: key.clone(), value: self.lower(module, value, &location.key(key))? })
                };
                ValueKind::Map(entries.iter().map(member).collect::<EvalResult<_>>()?)
            }
        };
        Ok(InputValue::new(kind, location.clone()))
    }

    fn template(&self, text: &Text) -> Result<Template, Unsupported> {
        let mut out = Template::default();
        for part in &text.0 {
            out.extend(match part {
                TextPart::Plain(text) => Template::text(text.as_str()),
                TextPart::Unknown(unknown) => Template::action(unknown.action.clone()),
                TextPart::Time(layout) => Template::action(call("isotime", layout.as_str())),
                TextPart::SourceImage { name, field } => Template::action(self.source_image(name, field)?),
                TextPart::Hidden(name) => {
                    return Err(Unsupported::new(format!("it is part of `{name}`, whose values are never copied"))
                        .help("Declare a separate variable of the type string for each value: it becomes a secret."));
                }
            });
        }
        Ok(out)
    }

    /// The expression for a field of the source image.
    fn source_image(&self, name: &str, field: &str) -> Result<Pipeline, Unsupported> {
        if self.origin.as_deref() != Some(name) {
            return Err(Unsupported::new(format!("`data.amazon-ami.{name}` is not the source image"))
                .help("Use it as the `source_ami`, or write the value by hand."));
        }
        let path = match field {
            "id" => vec!["SourceAMI"],
            "name" => vec!["SourceAMIName"],
            "owner" => vec!["SourceAMIOwner"],
            "creation_date" => vec!["SourceAMICreationDate"],
            other => match other.strip_prefix("tags.") {
                Some(tag) if tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => vec!["SourceAMITags", tag],
                _ => return Err(Unsupported::new(format!("`{other}` of the source image has no counterpart"))),
            },
        };
        Ok(vec![vec![Argument::Field(path.into_iter().map(str::to_owned).collect())]])
    }

    /// Reports a block or an attribute that is not supported.
    pub(super) fn unknown(&self, location: &Location) {
        let help = "If the images need it, write it into the manifest by hand.";
        self.drop(location, "not supported by ami-bake here", help);
    }
}

/// A list literal, with the location of each of its items.
fn with_spans(mut value: InputValue, expr: &Expression) -> InputValue {
    if let (ValueKind::List(items), Expression::Array(written)) = (&mut value.kind, expr)
        && items.len() == written.len()
    {
        for (item, written) in items.iter_mut().zip(written) {
            item.location = item.location.clone().at(written.span());
        }
    }
    value
}

/// Sets an entry, replacing an earlier one of the same name.
pub(super) fn put(members: &mut Vec<Member>, key: String, value: InputValue) {
    match members.iter_mut().find(|member| member.key == key) {
        Some(member) => member.value = value,
        None => members.push(Member { key, value }),
    }
}
