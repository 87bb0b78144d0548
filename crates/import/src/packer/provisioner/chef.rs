//! The chef-solo provisioner.

use super::Fields;
use crate::context::Context;
use crate::input::Reader;
use crate::json::Kind;
use crate::yaml::{Map, Value};

pub(super) fn step(fields: &Fields, context: &Context) -> Vec<Map> {
    fields.drop(
        &["encrypted_data_bag_secret_path"],
        "the secret of encrypted data bags is not copied onto the machine",
        "Give it in the `env` of the step as a secret, and have a recipe pass `ENV['NAME']` to `data_bag_item`.",
    );
    fields.drop(
        &["config_template"],
        "the verb `chef` writes Chef's configuration",
        "Cookbooks, roles, data bags, environments and the environment are keys of the step; further settings belong to a cookbook's `client.rb` resource or the attributes.",
    );
    fields.drop(
        &["remote_cookbook_paths"],
        "the verb `chef` sends its cookbooks",
        "Name local folders under `cookbooks`; what an earlier step fetches onto the machine takes a `run` step with chef-solo of its own.",
    );
    fields.drop(
        &["install_command", "skip_install", "version"],
        "the verb `chef` installs nothing",
        "Install Chef or Cinc by a `run` step before it.",
    );
    fields.drop(&["execute_command", "prevent_sudo"], "Chef runs as root, by a command line of the step's own", "");
    fields.drop(&["staging_directory"], "the files are in a folder that is gone afterwards", "");
    fields.drop(
        &["guest_os_type", "elevated_user", "elevated_password", "elevated_execute_command"],
        "machines run Linux",
        "",
    );
    fields.drop(&["knife_command"], "chef-solo speaks with no server", "");
    let mut step = Map::default();
    step.set("chef", "chef-solo");
    if let Some(list) = fields.get("cookbook_paths") {
        let paths: Vec<Value> = list.items().iter().filter_map(|item| context.path(item)).map(Value::from).collect();
        step.set_filled("cookbooks", paths);
    }
    for (theirs, ours) in
        [("roles_path", "roles"), ("data_bags_path", "data-bags"), ("environments_path", "environments")]
    {
        if let Some(path) = fields.get(theirs).and_then(|path| context.path(&path)) {
            step.set(ours, path);
        }
    }
    if let Some(words) = fields.get("chef_environment").and_then(|name| context.plain(&name)) {
        step.set("environment", words.manifest());
    }
    if let Some(list) = fields.get("run_list") {
        step.set_filled("run-list", context.texts(&list));
    }
    if let Some(json) = fields.get("json") {
        step.set_filled("attributes", attributes(&json, context));
    }
    // Whoever accepted it for Packer did so for Chef.
    if let Some(words) = fields.get("chef_license").and_then(|words| context.plain(&words)) {
        let mut env = Map::default();
        env.set("CHEF_LICENSE", words.manifest());
        step.set("env", env);
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
