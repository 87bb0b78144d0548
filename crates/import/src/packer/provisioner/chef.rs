//! The chef-solo provisioner.

use super::Fields;
use crate::context::Context;
use crate::input::Reader;
use crate::json::Kind;
use crate::yaml::{Map, Value};

pub(super) fn step(fields: &Fields, context: &Context) -> Vec<Map> {
    fields.drop(
        &[
            "data_bags_path",
            "encrypted_data_bag_secret_path",
            "environments_path",
            "roles_path",
            "chef_environment",
            "config_template",
            "remote_cookbook_paths",
            "chef_license",
        ],
        "the verb `chef` takes cookbooks, a run list and attributes",
        "Upload it by an `upload` step, and name it in the attributes or in a wrapper cookbook.",
    );
    fields.drop(
        &["install_command", "skip_install", "version"],
        "the verb `chef` installs nothing",
        "Install Chef or Cinc by a `run` step before it.",
    );
    fields.drop(
        &["execute_command", "prevent_sudo", "staging_directory", "guest_os_type", "knife_command"],
        "how Chef is called is not set",
        "",
    );
    let mut step = Map::default();
    step.set("chef", "chef-solo");
    if let Some(list) = fields.get("cookbook_paths") {
        let paths: Vec<Value> = list.items().iter().filter_map(|item| context.path(item)).map(Value::from).collect();
        step.set_filled("cookbooks", paths);
    }
    if let Some(list) = fields.get("run_list") {
        step.set_filled("run-list", context.texts(&list));
    }
    if let Some(json) = fields.get("json") {
        step.set_filled("attributes", attributes(&json, context));
    }
    vec![step]
}

/// Node attributes; secrets can't be among them.
fn attributes(json: &Reader, context: &Context) -> Map {
    let mut map = Map::default();
    if json.entries().is_empty() {
        json.tick();
    }
    for (key, value) in json.entries() {
        if let Some(tree) = attribute(key, &value, context) {
            map.set_from(key, tree, &value);
        }
    }
    map
}

fn attribute(key: &str, value: &Reader, context: &Context) -> Option<Value> {
    match &value.node.kind {
        Kind::Map(_) => Some(attributes(value, context).into()),
        Kind::List(_) => {
            Some(value.items().iter().filter_map(|item| attribute(key, item, context)).collect::<Vec<_>>().into())
        }
        Kind::Text(_) => {
            let words = context.words(value)?;
            let literal =
                words.literal().is_some_and(|literal| !literal.is_empty() && !matches!(literal, "yes" | "no"));
            if words.is_secret() || (literal && crate::credential::named(key)) {
                value.drop(
                    "a credential can't stand among the attributes",
                    "Give it in the `env` of the step, and read it in a recipe by `ENV['NAME']`.",
                );
                return None;
            }
            Some(words.manifest().into())
        }
        Kind::Null => {
            value.tick();
            Some(Value::Raw("null".to_owned()))
        }
        Kind::Bool(_) | Kind::Number(_) => Some(Value::Raw(value.text()?.to_owned())),
    }
}
