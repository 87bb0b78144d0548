//! A manifest with everything evaluated that is known before a bake, for reading: environment and defaults merged, one image
//! for each variant, conditions and expressions replaced by their values.

use ami_bake_core::plan::{ImageKey, SourceImage, SourceQuery};
use ami_bake_core::{Error, Result, Route};
use semver::Version;
use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::expression::{Piece, Template};
use crate::manifest::{ImageEntry, Manifest, VariantEntry};
use crate::resolve::Resolver;
use crate::secret::SECRET;
use crate::tree::Node;
use crate::variant::{PHASES, prune};

/// An image of the plan that is to be printed.
#[derive(Debug, Clone, Copy)]
pub struct PrintedImage<'a> {
    /// Image and variant.
    pub key: &'a ImageKey,
    /// The source; `None` when it is an image of this manifest that is baked first.
    pub source: Option<&'a SourceImage>,
    /// The version that it would get.
    pub version: &'a Version,
}

/// Keys of an image that are evaluated: what they select is already selected.
const SELECTING: [&str; 3] = ["if", "matrix", "platforms"];

/// Keys of a source that is an image of ami-bake.
const BAKED: [&str; 3] = ["from", "image", "version"];

impl Manifest {
    /// The manifest with these images as one document. What must not be shown, or is not known yet, stays an expression:
    /// secrets, values of environment variables and variable files, and facts about a source that is baked first.
    ///
    /// # Errors
    /// When an image can't be evaluated.
    pub fn printed(&self, images: &[PrintedImage<'_>]) -> Result<Value> {
        let mut findings = Vec::new();
        let resolver = Resolver::printing(&self.sources, &self.scope, true);
        let mut document = Map::new();
        document.insert("format".to_owned(), 1.into());
        document.insert("name".to_owned(), self.namespace.as_str().into());
        for key in ["version", "platform", "aws", "secrets"] {
            if let Some(node) = self.root.get(key) {
                document.insert(key.to_owned(), resolver.at(node, &Route::root().key(key), &mut findings));
            }
        }
        document.insert("platform".to_owned(), self.platform.as_str().into());
        if let (Some(region), Some(aws)) = (&self.region, document.get_mut("aws").and_then(Value::as_object_mut)) {
            aws.insert("region".to_owned(), region.as_str().into());
        }
        let vars = self.root.get("vars").map(Node::entries).unwrap_or_default().iter();
        // Their expressions stay, so they must be declared.
        let private = vars.filter(|entry| self.scope.has_private_var(&entry.key));
        let private: Map<String, Value> = private.map(|entry| (entry.key.clone(), entry.value.to_json())).collect();
        let mut all = Map::new();
        for image in images {
            let Some((entry, variant)) = self.variant(image.key) else { continue };
            all.insert(image.key.to_string(), self.printed_image(entry, variant, *image, &mut findings));
        }
        if let Some(finding) = findings.iter().find(|finding| finding.is_error()) {
            return Err(Error::manifest(&finding.message).at(finding.route.clone()));
        }
        document.insert("images".to_owned(), all.into());
        let mut document = Value::Object(document);
        finish(&mut document);
        if let (false, Value::Object(document)) = (private.is_empty(), &mut document) {
            document.insert("vars".to_owned(), private.into());
            // The images are the longest part.
            let images = document.shift_remove("images").unwrap_or_default();
            document.insert("images".to_owned(), images);
        }
        Ok(document)
    }

    fn printed_image(
        &self,
        image: &ImageEntry,
        variant: &VariantEntry,
        printed: PrintedImage<'_>,
        findings: &mut Vec<Diagnostic>,
    ) -> Value {
        let none = SourceImage::default();
        let scope = self.planned_scope(printed.key, variant, printed.source.unwrap_or(&none), printed.version);
        let evaluating = Evaluating {
            resolver: Resolver::printing(&self.sources, &scope, printed.source.is_some()),
            conditions: Resolver::plain(&self.sources, &scope),
            is_source_known: printed.source.is_some(),
            platform: self.platform.as_str(),
        };
        let route = Route::root().key("images").key(image.name.as_str());
        let mut value = Map::new();
        for entry in image.node.entries().iter().filter(|entry| !SELECTING.contains(&entry.key.as_str())) {
            let (key, route) = (entry.key.as_str(), route.key(entry.key.as_str()));
            let node = &entry.value;
            let evaluated = if PHASES.iter().any(|phase| phase.as_str() == key) {
                evaluating.steps(node, &route, findings)
            } else if key == "deploy" {
                let items = node.items().iter().enumerate();
                items.map(|(index, item)| evaluating.conditional(item, &route.index(index), findings)).collect()
            } else if key == "publish" {
                evaluating.conditional(node, &route, findings)
            } else {
                evaluating.resolver.at(node, &route, findings)
            };
            value.insert(key.to_owned(), evaluated);
        }
        if let (SourceQuery::Baked(base), Some(Value::Object(source))) = (&variant.source, value.get_mut("source")) {
            // An image is the source on every platform: it replaces what the defaults have for single ones.
            source.retain(|key, _| BAKED.contains(&key.as_str()));
            if base.sibling {
                source.insert("image".to_owned(), base.key.to_string().into());
            }
        }
        let mut value = Value::Object(value);
        prune(&mut value);
        value
    }
}

/// Evaluates one variant.
struct Evaluating<'a> {
    resolver: Resolver<'a>,
    conditions: Resolver<'a>,
    is_source_known: bool,
    platform: &'a str,
}

impl Evaluating<'_> {
    /// The steps that run.
    fn steps(&self, list: &Node, route: &Route, findings: &mut Vec<Diagnostic>) -> Value {
        let mut steps = Vec::new();
        for (index, step) in list.items().iter().enumerate() {
            let route = route.index(index);
            let elsewhere = |list: &Node| !list.items().iter().any(|item| item.as_text() == Some(self.platform));
            if step.get("platforms").is_some_and(elsewhere) {
                continue;
            }
            let mut value = self.conditional(step, &route, findings);
            if value.get("if") == Some(&Value::Bool(false)) {
                continue;
            }
            if let Value::Object(map) = &mut value {
                map.shift_remove("platforms");
                if map.get("if") == Some(&Value::Bool(true)) {
                    map.shift_remove("if");
                }
            }
            steps.push(value);
        }
        steps.into()
    }

    /// A map whose `if` is evaluated, unless it depends on what is not known yet.
    fn conditional(&self, node: &Node, route: &Route, findings: &mut Vec<Diagnostic>) -> Value {
        let mut value = self.resolver.at(node, route, findings);
        let (Some(condition), Value::Object(map)) = (node.get("if"), &mut value) else { return value };
        let text = condition.as_text().unwrap_or_default();
        let waits = !self.is_source_known && reads_source(text);
        let evaluated = if waits {
            condition.to_json()
        } else {
            self.conditions.condition(Some(condition), &route.key("if"), findings).into()
        };
        map.insert("if".to_owned(), evaluated);
        value
    }
}

/// Whether an `if` reads a fact about the source.
fn reads_source(condition: &str) -> bool {
    let pieces = Template::condition(condition).map(|template| template.pieces).unwrap_or_default();
    pieces.iter().any(|piece| matches!(piece, Piece::Expr { expr, .. } if expr.reads("source")))
}

/// Replaces marked expressions by their text, and quotes text that would be read as an expression.
fn finish(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(SECRET) || Template::is_one(text) => {
            let parts = text.split(SECRET).enumerate();
            let part = |(at, part): (usize, &str)| {
                if at % 2 == 1 { format!("${{{{ {part} }}}}") } else { part.replace("${{", "${{ '${{' }}") }
            };
            *text = parts.map(part).collect();
        }
        Value::Array(items) => items.iter_mut().for_each(finish),
        Value::Object(map) => map.values_mut().for_each(finish),
        _ => {}
    }
}

/// A printed manifest as YAML.
///
/// # Errors
/// When it can't be written as YAML.
pub fn yaml(document: &Value) -> Result<String> {
    serde_yaml::to_string(document)
        .map_err(|error| Error::internal("could not write the manifest as YAML").because(error))
}
