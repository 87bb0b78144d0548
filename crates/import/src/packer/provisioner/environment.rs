//! Converts the environment variables of a step.

use super::fields::Fields;
use crate::context::Context;
use crate::input::Reader;
use crate::template::Template;
use crate::yaml::Map;
use ami_bake_manifest::access::credential;

/// Reads `environment_vars`, `ansible_env_vars` and `env`.
pub(super) fn environment(fields: &Fields, context: &Context) -> Map {
    let mut env = Map::default();
    for key in ["environment_vars", "ansible_env_vars"] {
        let Some(list) = fields.get(key) else { continue };
        for item in list.items() {
            let Some(template) = item.template() else { continue };
            // A single text is a comma-separated list.
            for raw in if list.is_list() { vec![template.into_owned()] } else { template.split(',') } {
                let Some((name, value)) = raw.split_once('=') else {
                    item.drop("it is not NAME=VALUE", "Add it to `env` of the step.");
                    continue;
                };
                variable(name.trim(), &value, &item, context, &mut env);
            }
        }
    }
    for (name, value) in fields.get("env").iter().flat_map(Reader::entries) {
        if let Some(template) = value.template() {
            variable(name, &template, &value, context, &mut env);
        }
    }
    env
}

fn variable(name: &str, value: &Template, item: &Reader, context: &Context, env: &mut Map) {
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !fits {
        item.drop(format!("`{name}` is not a valid name of a variable"), "Add it to `env` of the step.");
        return;
    }
    let Some(words) = context.words_of(value, item) else { return };
    let harmless = |literal: &str| matches!(literal, "" | "true" | "false" | "yes" | "no" | "0" | "1");
    let literal = words.literal().is_some_and(|literal| !harmless(literal));
    if literal && credential::named(name) {
        let secret = credential::variable(name);
        item.drop(
            "the value of a credential is never copied",
            format!(
                "Set the environment variable {secret} for the bake; it is listed in `secrets`, and the step reads it."
            ),
        );
        env.set_from(name, format!("${{{{ secrets.{secret} }}}}"), item);
        return;
    }
    env.set_from(name, words.manifest(), item);
}
