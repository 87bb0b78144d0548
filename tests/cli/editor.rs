//! The schema in an editor: what yaml-language-server shows, offers and refuses.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fixture::Fixture;
use crate::language_server::LanguageServer;

const START: &str = "format: 1\nname: x\nversion: 1.0.0\nplatform: local\nimages:\n  web:\n    source: {local: host}\n";

/// Every key shows its own description and that of nothing else.
#[test]
fn a_key_shows_its_own_text() {
    let schema = include_str!("../../schema/bake.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut walk = Walk { root: &schema, seen: BTreeSet::new(), keys: Vec::new() };
    walk.schema(&schema, "", "");
    assert!(walk.keys.len() > 150, "{}", walk.keys.len());
    let mut editor = LanguageServer::start();
    let mut wrong = Vec::new();
    for (document, description) in walk.keys {
        let shown = editor.hover(&document);
        let texts = ["\n\nAllowed Values:", "\n\nExample", "\n\nSource:"]
            .iter()
            .fold(shown.as_str(), |text, end| text.split(end).next().unwrap());
        // The first line is the title of the type.
        let texts: Vec<String> = texts.lines().filter(|line| !line.starts_with('#')).map(plain).collect();
        if plain(&texts.join(" ")) != plain(&description) {
            wrong.push(format!("{document}\n{description}\n{shown}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} keys\n{}", wrong.len(), wrong.join("\n"));
}

/// Steps are offered by their key: alone, and with the other keys that they need.
#[test]
fn keys_are_offered() {
    let mut editor = LanguageServer::start();
    let labels = editor.offered(&format!("{START}    build:\n      - |\n"));
    for step in ["run", "script", "upload", "download", "ansible", "chef", "component", "reboot", "wait", "expect"] {
        assert!(labels.iter().any(|label| label == step), "{step}: {labels:?}");
    }
    assert!(!labels.iter().any(|label| label.ends_with("Step")), "{labels:?}");
    let labels = editor.offered(&format!("{START}    build:\n      - run: x\n        on-failure: |\n"));
    assert_eq!(labels, ["abort", "continue", "ignore"]);
}

/// An editor refuses what the program refuses, and nothing else.
#[test]
fn the_editor_and_the_program_agree() {
    let step = |step: &str| format!("{START}    build:\n      - {step}\n");
    let mut editor = LanguageServer::start();
    for manifest in [
        step("run: 5"),
        step("run: true"),
        step("{run: x, env: {P: 80, Q: true, R: 1.5, S: \"\"}}"),
        step("{run: x, retries: 2, timeout: 5s}"),
        step("{run: x, retries: \"${{ vars.n }}\"}").replace("images:", "vars: {n: 2}\nimages:"),
        step("{run: x, retries: many}"),
        step("{run: x, timeout: 5}"),
        step("{run: x, on-failure: maybe}"),
        step("{run: [x]}"),
        step("{run: x, env: {P: [1]}}"),
        step("{run: x, as: 1000}"),
        step("run: x").replace("name: x", "name: 5"),
        step("run: x").replace("version: 1.0.0", "version: 2"),
        step("run: x").replace("source:", "publish: {tags: {build: 5, final: true}}\n    source:"),
    ] {
        let checked = Fixture::with(&manifest).run(&["check"]);
        let refused = editor.refused(&manifest);
        assert_eq!(refused.is_empty(), checked.code == Some(0), "{manifest}\n{refused:?}\n{}", checked.stderr);
    }
}

/// Collects every key of a schema: a document with the key, with `|` in it, and the key's description.
struct Walk<'s> {
    root: &'s Value,
    /// References that were followed.
    seen: BTreeSet<String>,
    keys: Vec<(String, String)>,
}

impl<'s> Walk<'s> {
    /// The keys of a schema whose maps stand at this indent, after this text.
    fn schema(&mut self, schema: &'s Value, before: &str, indent: &str) {
        if let Some(name) = schema["$ref"].as_str() {
            if self.seen.insert(name.to_owned()) {
                self.schema(self.root.pointer(name.trim_start_matches('#')).unwrap(), before, indent);
            }
            return;
        }
        for choices in ["anyOf", "oneOf"] {
            for choice in schema[choices].as_array().into_iter().flatten() {
                self.schema(choice, before, indent);
            }
        }
        if schema["items"].is_object() {
            self.schema(&schema["items"], &format!("{before}{indent}- "), &format!("{indent}  "));
        }
        if schema["additionalProperties"].is_object() {
            let before = format!("{before}{}web:\n", lead(before, indent));
            self.schema(&schema["additionalProperties"], &before, &format!("{indent}  "));
        }
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, child) in schema["properties"].as_object().into_iter().flatten() {
            // The other keys that the map must have tell which of several definitions it is.
            let mut before = before.to_owned();
            for other in required.iter().filter(|other| *other != key && !indent.is_empty()) {
                before.push_str(&format!("{}{other}: x\n", lead(&before, indent)));
            }
            let lead = lead(&before, indent);
            if let Some(description) = child["description"].as_str() {
                let (first, rest) = key.split_at(1);
                self.keys.push((format!("{before}{lead}{first}|{rest}:\n"), description.to_owned()));
            }
            self.schema(child, &format!("{before}{lead}{key}:\n"), &format!("{indent}  "));
        }
    }
}

/// What stands before a key: nothing after the dash of a list.
fn lead<'t>(before: &str, indent: &'t str) -> &'t str {
    if before.ends_with("- ") { "" } else { indent }
}

/// Text without the escapes of Markdown.
fn plain(text: &str) -> String {
    text.replace('\\', "").split_whitespace().collect::<Vec<_>>().join(" ")
}
