//! Converts the chef-solo provisioner.

use super::fields::Fields;
use super::script::Script;
use crate::context::Context;
use crate::input::{Reader, ValueKind};
use crate::template::Words;
use crate::yaml::{Map, Value};

pub(super) fn step(fields: &Fields, context: &Context) -> Vec<Map> {
    fields.drop(
        &["encrypted_data_bag_secret_path"],
        "the secret of encrypted data bags is not copied to the machine",
        "Pass it as a secret in the `env` of the step, and pass `ENV['NAME']` to `data_bag_item` in a recipe.",
    );
    fields.drop(
        &["config_template"],
        "`chef` steps write Chef's configuration themselves",
        "Use the keys `cookbooks`, `roles`, `data-bags`, `environments` and `environment` of the step. Move other settings to a cookbook or to the attributes.",
    );
    fields.drop(
        &["remote_cookbook_paths"],
        "`chef` steps upload their cookbooks",
        "List local folders in `cookbooks`. For cookbooks that an earlier step downloads to the machine, run chef-solo in a `run` step.",
    );
    fields.drop(
        &["install_command"],
        "`chef` steps do not install Chef",
        "Install Chef or Cinc with a `run` step before it.",
    );
    let installed = fields.get("skip_install").and_then(|skip| context.flag(&skip)) == Some(true);
    let version = fields.get("version").and_then(|version| Some((context.plain(&version)?, version)));
    fields.drop(&["execute_command", "prevent_sudo"], "Chef runs as root with a fixed command line", "");
    fields.drop(&["staging_directory"], "the files are uploaded to a temporary folder", "");
    fields.drop(
        &["guest_os_type", "elevated_user", "elevated_password", "elevated_execute_command"],
        "only Linux machines are supported",
        "",
    );
    fields.drop(&["knife_command"], "chef-solo does not use a Chef server", "");
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
    // The license that was accepted for Packer is Chef's own.
    if let Some(words) = fields.get("chef_license").and_then(|words| context.plain(&words)) {
        let mut env = Map::default();
        env.set("CHEF_LICENSE", words.manifest());
        step.set("env", env);
    }
    let install = fields.get("install_command").is_none_or(|command| command.is_unset()) && !installed;
    let install = if install {
        Some(self::install(version))
    } else {
        if let Some((_, from)) = version {
            from.drop("Chef is not installed by its script", "");
        }
        None
    };
    install.into_iter().chain([step]).collect()
}

/// The step that installs Chef with the vendor's script, as Packer does unless `skip_install` is set (Packer,
/// provisioner/chef-solo).
fn install(version: Option<(Words, Reader)>) -> Map {
    let mut script = Script::default();
    let mut line = Words::text("curl -L https://omnitruck.chef.io/install.sh | bash -s --");
    let mut step = Map::default();
    if let Some((version, from)) = version {
        line.extend(Words::text(" -v \""));
        line.extend(version);
        line.extend(Words::text("\""));
        script.line(&line);
        step.set_from("run", script.text, &from);
    } else {
        script.line(&line);
        step.set("run", script.text);
    }
    step.set("shell", "sh");
    step.set_filled("env", script.env);
    step
}

/// Node attributes, which can't contain secrets.
fn attributes(json: &Reader, context: &Context) -> Map {
    let mut map = Map::default();
    if json.entries().is_empty() {
        json.mark_used();
    }
    for (key, value) in json.entries() {
        if let Some(tree) = attribute(key, &value, context) {
            map.set_from(key, tree, &value);
        }
    }
    map
}

fn attribute(key: &str, value: &Reader, context: &Context) -> Option<Value> {
    match &value.value.kind {
        ValueKind::Map(_) => Some(attributes(value, context).into()),
        ValueKind::List(_) => {
            Some(value.items().iter().filter_map(|item| attribute(key, item, context)).collect::<Vec<_>>().into())
        }
        ValueKind::Text(_) => {
            let words = context.words(value)?;
            let literal =
                words.literal().is_some_and(|literal| !literal.is_empty() && !matches!(literal, "yes" | "no"));
            if words.is_secret() || (literal && ami_bake_manifest::access::credential::named(key)) {
                value.drop(
                    "credentials are not allowed in attributes",
                    "Pass it in the `env` of the step and read `ENV['NAME']` in a recipe.",
                );
                return None;
            }
            Some(words.manifest().into())
        }
        ValueKind::Null => {
            value.mark_used();
            Some(Value::Raw("null".to_owned()))
        }
        ValueKind::Bool(_) | ValueKind::Number(_) => Some(Value::Raw(value.text()?.to_owned())),
    }
}
