//! Evaluates a variant whose source and version are known: every expression, with typed results.

use ami_bake_core::Route;
use ami_bake_core::plan::{ImageKey, Phase, SourceImage};
use semver::Version;
use serde_json::{Map, Value, json};

use crate::access::FileError;
use crate::diagnostic::Diagnostic;
use crate::expression::Scope;
use crate::family::variant_scope;
use crate::manifest::{ImageEntry, Manifest, VariantEntry};
use crate::model::{Image, STEP_TYPES, Step};
use crate::resolve::Resolver;
use crate::schema::{SchemaValidator, soften, validate};
use crate::tree::Node;

/// A variant with typed values.
pub(crate) struct Evaluated {
    /// The image without its steps.
    pub(crate) image: Image,
    /// The steps to run, with their index in the manifest.
    pub(crate) steps: [Vec<(usize, Step)>; 3],
}

pub(crate) const PHASES: [Phase; 3] = [Phase::Build, Phase::Validate, Phase::Test];

/// Code of a finding about a file that may not be read.
pub(crate) const FORBIDDEN: &str = "file-not-allowed";

/// The source as a value for expressions.
fn source_value(source: &SourceImage) -> Value {
    json!({
        "id": source.id,
        "name": source.name,
        "owner": source.owner,
        "created": source.created.map(|created| created.to_string()),
        "tags": source.tags,
    })
}

/// The version as a value for expressions, with members.
fn version_value(version: &Version) -> Value {
    json!({
        "": version.to_string(),
        "major": version.major,
        "minor": version.minor,
        "patch": version.patch,
        "prerelease": version.pre.as_str(),
    })
}

impl Manifest {
    /// The scope of a variant's expressions once everything is known.
    pub(crate) fn planned_scope(
        &self,
        key: &ImageKey,
        variant: &VariantEntry,
        source: &SourceImage,
        version: &Version,
    ) -> Scope {
        let mut scope = variant_scope(self, key, &variant.matrix);
        scope.set("source", source_value(source));
        scope.set("version", version_value(version));
        scope
    }

    /// Evaluates a variant; `None` after an error, which is among the findings.
    pub(crate) fn evaluate(
        &self,
        image: &ImageEntry,
        scope: &Scope,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Evaluated> {
        let route = Route::root().key("images").key(image.name.as_str());
        let resolver = Resolver::plain(&self.sources, scope);
        let before = findings.len();
        let mut settings = Map::new();
        let mut lists: [Vec<(usize, Value)>; 3] = Default::default();
        for entry in image.node.entries() {
            let route = route.key(entry.key.as_str());
            if let Some(phase) = PHASES.iter().position(|phase| phase.as_str() == entry.key) {
                lists[phase] = self.steps(&resolver, &entry.value, &route, findings);
            } else if !matches!(entry.key.as_str(), "if" | "matrix" | "source" | "platforms") {
                settings.insert(entry.key.clone(), resolver.at(&entry.value, &route, findings));
            }
        }
        for (phase, list) in PHASES.iter().zip(&lists) {
            self.allowed(image, &route.key(phase.as_str()), list, findings);
        }
        if findings.len() > before {
            return None;
        }
        if !resolver.has_shaped()
            && let Ok(evaluated) = typed(&settings, &lists)
        {
            return Some(evaluated);
        }
        // The schema has not seen the values of expressions: a number becomes text if text is expected, and null means
        // unset.
        let mut whole = whole(&image.node, settings, &lists);
        soften(self.validator.get_or_init(SchemaValidator::image), &mut whole);
        prune(&mut whole);
        self.validate_image(&image.node, &whole, &route, findings);
        let evaluated = typed_whole(&whole, &lists);
        if findings.len() > before {
            return None;
        }
        match evaluated {
            Ok(evaluated) => Some(evaluated),
            Err(error) => {
                let message = format!("invalid image: {error}");
                findings.push(Diagnostic::error("image", image.node.span, message).route(route));
                None
            }
        }
    }

    /// Reports local files in steps that may not be read. For paths without expressions the check did so before.
    fn allowed(&self, image: &ImageEntry, route: &Route, steps: &[(usize, Value)], findings: &mut Vec<Diagnostic>) {
        for (index, step) in steps {
            let keys = STEP_TYPES.iter().filter(|known| step.get(known.key).is_some()).flat_map(|known| known.files);
            for key in keys {
                let value = step.get(key.key);
                let items = value.and_then(Value::as_array).into_iter().flatten();
                for path in value.into_iter().chain(items).filter_map(Value::as_str) {
                    let Err(FileError::Forbidden { message, help }) = self.files.locate(&self.folder.join(path)) else {
                        continue;
                    };
                    let route = route.index(*index).key(key.key);
                    let own = Route(route.0.iter().skip(2).cloned().collect());
                    if findings.iter().any(|known| known.code == FORBIDDEN && known.message == message) {
                        continue;
                    }
                    let place = image.node.place(&own);
                    findings.push(Diagnostic::error(FORBIDDEN, place, message).help(help).route(route));
                }
            }
        }
    }

    fn steps(
        &self,
        resolver: &Resolver<'_>,
        list: &Node,
        route: &Route,
        findings: &mut Vec<Diagnostic>,
    ) -> Vec<(usize, Value)> {
        let mut steps = Vec::new();
        for (index, step) in list.items().iter().enumerate() {
            let route = route.index(index);
            if self.step_runs(resolver, step, &route, findings) {
                let mut value = resolver.at(step, &route, findings);
                if let Value::Object(map) = &mut value {
                    map.remove("if");
                    map.remove("platforms");
                }
                steps.push((index, value));
            }
        }
        steps
    }

    fn step_runs(&self, resolver: &Resolver<'_>, step: &Node, route: &Route, findings: &mut Vec<Diagnostic>) -> bool {
        let here =
            |platforms: &Node| platforms.items().iter().any(|item| item.as_text() == Some(self.platform.as_str()));
        step.get("platforms").is_none_or(here) && resolver.condition(step.get("if"), &route.key("if"), findings)
    }

    /// A field of an image, with numbers converted to text if the schema requires text.
    pub(crate) fn soften(&self, field: &str, value: Value) -> Value {
        let numbers = |value: &Value| value.is_number() || value.is_boolean();
        let any = value.as_object().is_some_and(|map| map.values().any(|value| numbers(value) || value.is_object()));
        if !any {
            return value;
        }
        let mut whole = Value::Object(Map::from_iter([(field.to_owned(), value)]));
        soften(self.validator.get_or_init(SchemaValidator::image), &mut whole);
        whole.get_mut(field).map(Value::take).unwrap_or_default()
    }

    /// Validates an evaluated image.
    pub(crate) fn validate_image(&self, node: &Node, value: &Value, route: &Route, findings: &mut Vec<Diagnostic>) {
        validate(self.validator.get_or_init(SchemaValidator::image), node, value, route, findings);
    }
}

fn typed(settings: &Map<String, Value>, lists: &[Vec<(usize, Value)>; 3]) -> Result<Evaluated, serde_json::Error> {
    let image = serde_json::from_value(Value::Object(settings.clone()))?;
    let mut steps: [Vec<(usize, Step)>; 3] = Default::default();
    for (typed, list) in steps.iter_mut().zip(lists) {
        for (index, step) in list {
            typed.push((*index, serde_json::from_value(step.clone())?));
        }
    }
    Ok(Evaluated { image, steps })
}

/// Removes values that expressions left null.
pub(crate) fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

/// Deserializes the image from the form that the schema validated.
fn typed_whole(whole: &Value, lists: &[Vec<(usize, Value)>; 3]) -> Result<Evaluated, serde_json::Error> {
    let mut settings = whole.as_object().cloned().unwrap_or_default();
    let mut softened = lists.clone();
    for (phase, list) in PHASES.iter().zip(&mut softened) {
        let steps = settings.remove(phase.as_str()).unwrap_or_default();
        for (index, step) in list {
            *step = steps.get(*index).cloned().unwrap_or_default();
        }
    }
    typed(&settings, &softened)
}

/// The image in the form that the schema validates. Steps that do not run are replaced by a valid one, so that the
/// indices of the others still match the manifest.
fn whole(node: &Node, mut settings: Map<String, Value>, lists: &[Vec<(usize, Value)>; 3]) -> Value {
    for (phase, list) in PHASES.iter().zip(lists) {
        let count = node.get(phase.as_str()).map_or(0, |steps| steps.items().len());
        let mut steps = vec![json!({ "reboot": true }); count];
        for (index, step) in list {
            if let Some(slot) = steps.get_mut(*index) {
                *slot = step.clone();
            }
        }
        settings.insert(phase.as_str().to_owned(), steps.into());
    }
    Value::Object(settings)
}
