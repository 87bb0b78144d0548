//! Generates the reference page of the manifest from the schema.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::generate;
use crate::model::{COMMON_KEYS, STEP_TYPES};

/// Text that is not in the schema: an example, variables and expressions.
const INTRODUCTION: &str = include_str!("../../templates/reference.md");

/// The order of the sections after the document's own; sections that are not listed follow.
const ORDER: [&str; 12] = [
    "Environment",
    "Aws",
    "Image",
    "Source",
    "AmiSource",
    "Machine",
    "Disk",
    "Volume",
    "Connect",
    "Jump",
    "Metadata",
    "Seal",
];

/// The manifest's reference as Markdown.
pub fn reference() -> String {
    let schema = generate::strict();
    let none = Map::new();
    let definitions = schema.get("$defs").and_then(Value::as_object).unwrap_or(&none);
    let mut page = Page { definitions, out: INTRODUCTION.to_owned() };
    page.section("Manifest", &schema);
    let mut names: Vec<&str> = ORDER.into_iter().filter(|name| definitions.contains_key(*name)).collect();
    names.push("Steps");
    for name in &names {
        if *name == "Steps" {
            page.steps();
        } else if let Some(definition) = definitions.get(*name) {
            page.section(name, definition);
        }
    }
    for (name, definition) in definitions {
        let done = names.contains(&name.as_str()) || name.ends_with("Step");
        if !done && definition.get("properties").is_some() {
            page.section(name, definition);
        }
    }
    page.values();
    page.out
}

struct Page<'a> {
    definitions: &'a Map<String, Value>,
    out: String,
}

impl Page<'_> {
    fn section(&mut self, name: &str, schema: &Value) {
        let _ = write!(self.out, "\n## {name}\n\n{}\n", description(schema));
        self.table(schema, &[]);
    }

    fn table(&mut self, schema: &Value, without: &[&str]) {
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        self.out.push_str("\n| key | value | meaning |\n|---|---|---|\n");
        for (key, property) in properties {
            if without.contains(&key.as_str()) {
                continue;
            }
            let must = if required.contains(&key.as_str()) { " (required)" } else { "" };
            let kind = cell(&self.kind(property));
            let _ = writeln!(self.out, "| `{key}`{must} | {kind} | {} |", cell(&description(property)));
        }
    }

    fn steps(&mut self) {
        self.out.push_str(
            "\n## Steps\n\nA step is a map with exactly one step type, such as `run`. All steps also have these keys:\n",
        );
        let first = self.definitions.get("RunStep").cloned().unwrap_or_default();
        let own: Vec<&str> = keys(&first).into_iter().filter(|key| !COMMON_KEYS.contains(key)).collect();
        self.table(&first, &own);
        for known in &STEP_TYPES {
            let Some(definition) = self.definitions.get(&known.definition()).cloned() else { continue };
            let _ = write!(self.out, "\n### `{}`\n\n{}\n", known.key, description(&definition));
            self.table(&definition, &COMMON_KEYS);
        }
    }

    /// Writes the section about strings with a pattern, with examples.
    fn values(&mut self) {
        self.out.push_str("\n## Values\n\n| value | meaning | examples |\n|---|---|---|\n");
        for definition in self.definitions.values() {
            let Some(title) = definition.get("title").and_then(Value::as_str) else { continue };
            let examples: Vec<String> = definition
                .get("examples")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|example| format!("`{example}`"))
                .collect();
            let _ = writeln!(self.out, "| {title} | {} | {} |", cell(&description(definition)), examples.join(", "));
        }
    }

    /// Describes the possible values, with links to sections.
    fn kind(&self, schema: &Value) -> String {
        if let Some(name) =
            schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next())
        {
            let Some(target) = self.definitions.get(name) else { return name.to_owned() };
            if name == "Step" {
                return "[step](#steps)".to_owned();
            }
            if target.get("properties").is_some() {
                return format!("[{name}](#{})", name.to_lowercase());
            }
            return self.kind(target);
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let words: Vec<String> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
            return words.join(", ");
        }
        if let Some(value) = schema.get("const") {
            return format!("`{value}`");
        }
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            let mut kinds: Vec<String> = Vec::new();
            for kind in choices.iter().map(|choice| self.kind(choice)) {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            return kinds.join(" or ");
        }
        if let Some(title) = schema.get("title").and_then(Value::as_str) {
            return title.to_owned();
        }
        match schema.get("type") {
            Some(Value::String(name)) if name == "array" => match schema.get("items") {
                Some(items) => format!("list of {}", plural(&self.kind(items))),
                None => "list".to_owned(),
            },
            Some(Value::String(name)) if name == "object" => {
                match schema.get("additionalProperties").filter(|value| value.is_object()) {
                    Some(values) => format!("map of {}", plural(&self.kind(values))),
                    None => "map".to_owned(),
                }
            }
            Some(Value::String(name)) => type_word(name).to_owned(),
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).map(type_word).collect::<Vec<_>>().join(" or ")
            }
            _ => "any value".to_owned(),
        }
    }
}

fn type_word(name: &str) -> &str {
    match name {
        "object" => "map",
        "array" => "list",
        other => other,
    }
}

/// The plural, except for links and literals.
fn plural(kinds: &str) -> String {
    if let Some(items) = kinds.strip_prefix("list of ") {
        return format!("lists of {items}");
    }
    let one = |kind: &str| match kind.strip_prefix("list of ") {
        Some(items) => format!("lists of {items}"),
        None if kind.ends_with(['`', ')']) => kind.to_owned(),
        None => format!("{kind}s"),
    };
    kinds.split(" or ").map(one).collect::<Vec<_>>().join(" or ")
}

fn keys(schema: &Value) -> Vec<&str> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The text of a table cell: one line without bars.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
