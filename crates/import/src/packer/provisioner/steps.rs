//! Converts the provisioners of a builder to steps, by their types.

use super::fields::Fields;
use super::{ansible, chef, common, file, shell};
use crate::context::Context;
use crate::input::{Log, Reader};
use crate::packer::build::{Build, ImageDraft};
use crate::packer::model::BuildBlock;
use crate::yaml::Map;

/// Adds the steps of a builder's provisioners to its image.
pub(in crate::packer) fn steps(build: &Build, context: &Context, image: &mut ImageDraft, log: &Log) {
    for provisioner in &build.block.provisioners {
        let reader = Reader::new(&provisioner.fields, log);
        if !applies(&reader, context, &build.name) {
            continue;
        }
        provisioner.used.set(true);
        let fields = Fields::of(reader, &build.name);
        let steps = one(&provisioner.kind, &fields, build, context, image);
        common::add(steps, provisioner.comments.clone(), &fields, build, context, image);
    }
}

/// Reports provisioners that no imported builder uses; `names` are the imported builders.
pub(in crate::packer) fn rest(block: &BuildBlock, names: &[&str], log: &Log) {
    for provisioner in &block.provisioners {
        let reader = Reader::new(&provisioner.fields, log);
        if names.is_empty() {
            reader.drop("no builder of the template was imported", "");
        } else if !provisioner.used.get() && reader.get("only").is_some() {
            reader.drop("it only runs on builders that were not imported", "");
        } else if !provisioner.used.get() && reader.get("except").is_some() {
            reader.drop("it runs on none of the imported builders", "");
        }
        for (name, fields) in reader.get("override").iter().flat_map(Reader::entries) {
            if !names.contains(&name) {
                fields.drop("it is for a builder that was not imported", "");
            }
        }
    }
}

/// Whether `only` and `except` allow a step for a builder.
pub(in crate::packer) fn applies(reader: &Reader, context: &Context, name: &str) -> bool {
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

/// Types of provisioners that are not imported, and why.
const UNSUPPORTED: [(&[&str], &str, &str); 6] = [
    (
        &["shell-local"],
        "it runs on the computer that runs ami-bake; steps run on the machine",
        "Run it in the workflow, before or after the bake.",
    ),
    (
        &["powershell", "windows-shell", "windows-restart", "windows-update"],
        "it is for Windows; only Linux over SSH is supported",
        "",
    ),
    (&["breakpoint"], "a bake does not stop for input", "Use `--keep-on-failure` to inspect a machine."),
    (
        &["goss", "inspec"],
        "there is no step type for it",
        "Write the checks as `expect` steps in `validate` or `test`.",
    ),
    (
        &["chef-client", "salt-masterless", "puppet-masterless", "puppet-server", "converge"],
        "there is no step type for it",
        "Upload its files and run it with a `run` step.",
    ),
    (&["hcp-sbom"], "software bills of materials are not supported", ""),
];

fn one(kind: &str, fields: &Fields, build: &Build, context: &Context, image: &ImageDraft) -> Vec<Map> {
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
            let known = UNSUPPORTED.iter().find(|(kinds, ..)| kinds.contains(&kind));
            let unknown = format!("there is no step type for provisioners of the type `{kind}`");
            let (why, help) =
                known.map_or((unknown.as_str(), "Write what it does as steps."), |(_, why, help)| (why, help));
            fields.reader().drop(why, help);
            Vec::new()
        }
    }
}
