//! Provisioners to steps.

mod ansible;
mod chef;
mod common;
mod execute;
mod fields;
mod file;
mod playbook;
mod restart;
mod script;
mod shell;

use super::build::{Build, Image};
use crate::context::Context;
use crate::input::Reader;
use crate::yaml::Map;
use fields::Fields;

/// Adds the steps of a builder's provisioners to its image.
pub(super) fn steps(template: &Reader, build: &Build, context: &Context, image: &mut Image) {
    for reader in provisioners(template) {
        if !applies(&reader, context, &build.name) {
            continue;
        }
        let fields = Fields::of(reader, &build.name);
        let steps = one(&fields, build, context, image);
        common::add(steps, &fields, build, context, image);
    }
}

fn provisioners<'a>(template: &Reader<'a>) -> Vec<Reader<'a>> {
    template.get("provisioners").iter().flat_map(Reader::items).collect()
}

/// Tells of provisioners that run on no builder that came over.
pub(super) fn rest(template: &Reader, names: &[&str]) {
    for reader in provisioners(template) {
        let visited = reader.get("type").is_some_and(|kind| kind.is_ticked());
        if names.is_empty() {
            reader.drop("no builder of the template came over", "");
        } else if !visited && reader.get("only").is_some() {
            reader.drop("it runs only on builders that did not come over", "");
        } else if !visited && reader.get("except").is_some() {
            reader.drop("it runs on none of the builders that came over", "");
        }
        if let Some(overrides) = reader.get("override") {
            for (name, fields) in overrides.entries() {
                if !names.contains(&name) {
                    fields.drop("it is for a builder that did not come over", "");
                }
            }
        }
    }
}

/// `only` and `except`.
pub(super) fn applies(reader: &Reader, context: &Context, name: &str) -> bool {
    let names = |key: &str| -> Option<Vec<String>> {
        let list = reader.get(key)?;
        let names: Vec<String> = list
            .items()
            .iter()
            .filter_map(|item| context.words(item)?.known())
            .filter(|known| !known.is_empty())
            .collect();
        (!names.is_empty()).then_some(names)
    };
    let only = names("only").is_none_or(|only| only.iter().any(|known| known == name));
    let except = names("except").is_some_and(|except| except.iter().any(|known| known == name));
    only && !except
}

/// Why provisioners without steps stay behind.
const LEFT: [(&[&str], &str, &str); 6] = [
    (
        &["shell-local"],
        "it runs on the computer that bakes, and steps run on the machine",
        "Run it in the workflow, before or after the bake.",
    ),
    (
        &["powershell", "windows-shell", "windows-restart", "windows-update"],
        "it is for Windows, and there is only SSH to Linux here",
        "",
    ),
    (&["breakpoint"], "a bake does not stop for a key", "Use `--keep-on-failure` to look at a machine."),
    (
        &["goss", "inspec"],
        "there is no verb for it",
        "Write what it asserts as `expect` steps below `validate` or `test`.",
    ),
    (
        &["chef-client", "salt-masterless", "puppet-masterless", "puppet-server", "converge"],
        "there is no verb for it",
        "Upload its files and run it by a `run` step.",
    ),
    (&["hcp-sbom"], "there is no list of software made of the image", ""),
];

fn one(fields: &Fields, build: &Build, context: &Context, image: &Image) -> Vec<Map> {
    let kind = fields.get("type").and_then(|kind| kind.text()).unwrap_or_default();
    match kind {
        "shell" => shell::steps(fields, build, context, image),
        "file" => file::steps(fields, build, context, image),
        "ansible" => ansible::remote(fields, build, context, image),
        "ansible-local" => ansible::local(fields, build, context),
        "chef-solo" => chef::step(fields, context),
        "sleep" => {
            let Some(duration) = fields.get("duration") else { return Vec::new() };
            context.duration(&duration).and_then(|time| common::pause(&time, build)).into_iter().collect()
        }
        _ => {
            let known = LEFT.iter().find(|(kinds, ..)| kinds.contains(&kind));
            let unknown = format!("there is no verb for provisioners of the type `{kind}`");
            let (why, help) =
                known.map_or((unknown.as_str(), "Write what it does as steps."), |(_, why, help)| (why, help));
            fields.reader().drop(why, help);
            Vec::new()
        }
    }
}

/// The folder that Packer's scripts run in, and their user.
fn home(user: &str) -> String {
    if user == "root" { "/root".to_owned() } else { format!("/home/{user}") }
}
