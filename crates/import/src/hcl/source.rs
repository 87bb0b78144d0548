//! Converts `source` blocks to builders.

use std::cell::Cell;
use std::ops::Range;

use hcl_edit::structure::Body;

use super::comment;
use super::lower::{Lowering, put};
use super::module::Module;
use super::reference;
use super::scope::Scope;
use super::value::{HclValue, TextPart};
use crate::input::{InputValue, Location, Member, ValueKind};
use crate::packer::Builder;
use crate::template::Template;

/// A `source` block.
pub(super) struct SourceBlock<'b> {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) file: usize,
    pub(super) body: &'b Body,
    /// Byte range in the file.
    pub(super) span: Range<usize>,
    pub(super) used: Cell<bool>,
}

/// The `source` block of a build, which overrides fields of the source.
pub(super) struct Overrides<'b, 'm, 'a> {
    pub(super) body: &'b Body,
    pub(super) scope: Scope<'m, 'a>,
    pub(super) location: Location,
}

/// Fields of `data "amazon-ami"` that select the image.
const FILTER: [&str; 4] = ["filters", "owners", "most_recent", "include_deprecated"];

impl Lowering<'_> {
    /// The builder of a source as a build uses it.
    pub(super) fn builder<'a>(
        &mut self,
        module: &Module<'a>,
        source: &SourceBlock,
        name: &str,
        over: Option<&Overrides<'_, '_, 'a>>,
    ) -> Builder {
        let location = self.location(source.file, format!("source.{}.{}", source.kind, source.name));
        let location = location.at(Some(source.span.clone()));
        let mut members = Vec::new();
        let comments = self.comments(source.file, source.span.start);
        let mut scope = Scope::new(module, source.file);
        scope.source = Some((source.kind.clone(), name.to_owned()));
        self.origin = None;
        let wanted = over
            .and_then(|over| over.body.get_attribute("source_ami").map(|attribute| (&over.scope, attribute)))
            .or_else(|| source.body.get_attribute("source_ami").map(|attribute| (&scope, attribute)));
        let found = wanted.map(|(scope, attribute)| {
            let value = scope.eval(&attribute.value);
            scope.take_notes();
            value
        });
        let mut skip = vec!["name"];
        if let Some(Ok(HclValue::Text(text))) = found {
            if let [TextPart::SourceImage { name, field }] = text.0.as_slice()
                && field == "id"
                && module.find_data("amazon-ami", name).is_some()
            {
                skip.push("source_ami");
                self.origin = Some(name.clone());
            } else if let Some(parameter) = reference::parameter(module, &text)
                && let Ok(value) = self.lower(module, &HclValue::Text(parameter), &location.key("source_ami"))
            {
                skip.push("source_ami");
                put(&mut members, "source_ami_parameter".to_owned(), value);
            }
        }
        // The build's `source` block overrides the source.
        if let Some(over) = over {
            for attribute in over.body.attributes() {
                let own = attribute.key.as_str();
                if source.body.has_attribute(own) && own != "name" {
                    skip.push(own);
                    self.changed(&location.key(own), "overridden by the `source` block of a build", "");
                }
            }
        }
        self.body(&scope, source.body, &location, &skip, &mut members);
        if let Some(over) = over {
            let kept: Vec<&str> = skip.iter().copied().filter(|own| matches!(*own, "name" | "source_ami")).collect();
            let skipped: Vec<&str> = if kept.len() > 1 && self.origin.is_none() { vec!["name"] } else { kept };
            self.body(&over.scope, over.body, &over.location, &skipped, &mut members);
        }
        if let Some(name) = self.origin.clone() {
            self.filter(module, &name, &mut members);
        }
        Builder {
            kind: source.kind.clone(),
            name: Some(Template::text(name)),
            source: Some(source.name.clone()),
            comments,
            fields: InputValue::new(ValueKind::Map(members), location),
        }
    }

    /// `data "amazon-ami"` as the builder's source filter.
    fn filter(&mut self, module: &Module, name: &str, members: &mut Vec<Member>) {
        let Some(data) = module.find_data("amazon-ami", name) else { return };
        let location = self.location(data.file, format!("data.amazon-ami.{name}"));
        let scope = Scope::new(module, data.file);
        let others: Vec<&str> = data
            .body
            .attributes()
            .map(|attribute| attribute.key.as_str())
            .filter(|own| !FILTER.contains(own))
            .collect();
        for own in &others {
            let Some(attribute) = data.body.get_attribute(own) else { continue };
            let own_location = location.key(own);
            if *own == "region" {
                let value = self.attribute(&scope, &attribute.value, &own_location);
                let region = members.iter().find(|member| member.key == "region").map(|member| &member.value);
                if value.as_ref() == region {
                    continue;
                }
                self.drop(&own_location, "the source image is looked up in the home region", "Set `aws.region`.");
            } else {
                let help = "The bake takes its credentials from the environment, a profile or a role.";
                self.drop(&own_location, "the source image is looked up with the bake's own credentials", help);
            }
        }
        for block in data.body.blocks().filter(|block| !matches!(block.ident.as_str(), "filter" | "dynamic")) {
            let why = "the source image is looked up with the bake's own credentials";
            self.drop(&location.key(block.ident.as_str()), why, "See `aws.role`.");
        }
        let mut inner = Vec::new();
        self.body(&scope, data.body, &location, &others, &mut inner);
        inner.retain(|member| FILTER.contains(&member.key.as_str()));
        put(members, "source_ami_filter".to_owned(), InputValue::new(ValueKind::Map(inner), location));
    }

    /// The comment above a location in a file.
    pub(super) fn comments(&self, file: usize, start: usize) -> Vec<String> {
        let Some(source) = self.files.get(file) else { return Vec::new() };
        let before = source.text.get(..start).unwrap_or_default();
        let before = before.rfind('\n').map_or("", |end| &before[..end]);
        let from = before.len().saturating_sub(4096);
        let from = (from..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(before.len());
        comment::above(&before[from..])
    }
}
