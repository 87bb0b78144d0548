//! Converts a Packer template to the draft of a manifest.

use std::cell::RefCell;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::build::{Build, ImageDraft, Platform};
use super::model::PackerTemplate;
use super::variables::Variables;
use super::{builder, post, provisioner};
use crate::context::Context;
use crate::input::{Finding, FindingKind, InputValue, Log, Reader};
use crate::output::Draft;
use crate::paths::Paths;
use crate::template::evaluate;
use crate::yaml::{Map, Value, write};

/// Inputs for the import of a template.
pub(crate) struct Settings<'a> {
    /// Variable files, in order.
    pub(crate) var_files: &'a [InputValue],
    /// Variables of the command line.
    pub(crate) sets: &'a [(String, String)],
    /// The time to evaluate with.
    pub(crate) now: Option<Timestamp>,
    /// Name of the file, for findings about the command line.
    pub(crate) file: &'a str,
    /// Name of the file without its extension.
    pub(crate) stem: &'a str,
    pub(crate) paths: &'a Paths,
    pub(crate) log: &'a Log,
}

/// Imports a template. The draft has no images when nothing could be imported.
pub(crate) fn import(template: &PackerTemplate, settings: &Settings) -> Draft {
    let Settings { log, paths, .. } = *settings;
    let folder = paths.input.to_string_lossy().into_owned();
    let files: Vec<Reader> = settings.var_files.iter().map(|file| Reader::new(file, log)).collect();
    let variables = Variables::read(template, &files, settings.sets, settings.now, &folder, log);
    let mut draft = Draft { stem: settings.stem.to_owned(), head: template.comments.clone(), ..Draft::default() };
    top(template, log);

    let typed = RefCell::new(BTreeSet::new());
    let mut images: Vec<(Build, ImageDraft)> = Vec::new();
    for build in builds(template, &variables, settings) {
        let context = Context { scope: &build, paths, typed: &typed };
        if let Some(image) = builder::image(&build, &context) {
            images.push((build, image));
        }
    }
    for (build, image) in &mut images {
        let context = Context { scope: &*build, paths, typed: &typed };
        provisioner::steps(build, &context, image, log);
        post::process(build, &context, image, log);
    }
    rest(template, &images, log);
    assemble(images, &mut draft);

    // The manifest's text decides which variables it needs, including those in `if`s and secrets.
    let text = write(&draft.body);
    (draft.vars, draft.secrets) = variables.write(&text, &typed.borrow());
    for name in variables.idle() {
        log.add(Finding {
            kind: FindingKind::Dropped,
            file: settings.file.to_owned(),
            path: format!("--set {name}"),
            why: "the template has no such variable".to_owned(),
            help: "Check the spelling.".to_owned(),
        });
    }
    template.report_unused(log);
    settings.var_files.iter().for_each(|file| log.report_unused(file));
    draft
}

/// Reports provisioners and post-processors that no image uses.
fn rest(template: &PackerTemplate, images: &[(Build, ImageDraft)], log: &Log) {
    for block in &template.builds {
        let own = || images.iter().map(|(build, _)| build).filter(|build| std::ptr::eq(build.block, block));
        let names: Vec<&str> = own().map(|build| build.name.as_str()).collect();
        let shared = block.group.is_some() && images.iter().any(|(build, _)| build.block.group == block.group);
        if names.is_empty() && shared {
            // The same steps are in a block whose image was imported.
            block.provisioners.iter().for_each(|provisioner| provisioner.fields.mark_used());
            block.post_processors.iter().for_each(|post| post.fields.mark_used());
            continue;
        }
        provisioner::rest(block, &names, log);
        let docker = own().filter(|build| build.platform == Platform::Docker);
        let docker: Vec<&str> = docker.map(|build| build.name.as_str()).collect();
        post::rest(block, &docker, log);
    }
}

/// Reports top-level fields other than builders, provisioners, post-processors and variables.
fn top(template: &PackerTemplate, log: &Log) {
    if let Some(version) = template.other("min_packer_version", log) {
        version.drop("ami-bake replaces Packer", "");
    }
    if let Some(push) = template.other("push", log) {
        push.drop("`push` uploaded the template to Atlas, which was shut down", "");
    }
    if let Some(cleanup) = template.other("error-cleanup-provisioner", log) {
        cleanup.drop(
            "a failed bake runs no cleanup steps: its machine is terminated",
            "If something outside the machine must be cleaned up, set `on-failure: continue` on the steps and add a cleanup step after them.",
        );
    }
}

/// The builders, with names for their images.
fn builds<'a, 'v>(
    template: &'a PackerTemplate,
    variables: &'v Variables<'a>,
    settings: &Settings<'a>,
) -> Vec<Build<'a, 'v>> {
    let builders =
        || template.builds.iter().flat_map(|block| block.builders.iter().map(move |builder| (block, builder)));
    let single = builders().count() == 1;
    let mut builds: Vec<Build> = Vec::new();
    for (block, builder) in builders() {
        let mut build = Build {
            name: builder.kind.clone(),
            image: String::new(),
            platform: if builder.kind == "docker" { Platform::Docker } else { Platform::Aws },
            reader: Reader::new(&builder.fields, settings.log),
            block,
            builder,
            variables,
        };
        let named = builder.name.as_ref().and_then(|name| match evaluate(name, &build, &mut |_| {}) {
            Ok(name) => name.known().filter(|known| !known.is_empty()),
            Err(unsupported) => {
                if unsupported.exceeded {
                    build.reader.unsupported(unsupported);
                }
                None
            }
        });
        let own = named.clone().unwrap_or_else(|| if single { settings.stem.to_owned() } else { builder.kind.clone() });
        if let Some(named) = named {
            build.name = named;
        }
        let mut image = crate::output::name(&own);
        let mut count = 1;
        while builds.iter().any(|known| known.image == image) {
            count += 1;
            image = format!("{}-{count}", crate::output::name(&own));
        }
        build.image = image;
        builds.push(build);
    }
    builds
}

/// Assembles the images: steps that all of them share are written once.
fn assemble(images: Vec<(Build, ImageDraft)>, draft: &mut Draft) {
    let mixed = images.windows(2).any(|pair| pair[0].0.platform != pair[1].0.platform);
    if !mixed && let Some((build, _)) = images.first() {
        draft.platform = build.platform.as_str();
    }
    let shared = images.len() > 1 && images.windows(2).all(|pair| pair[0].1.steps == pair[1].1.steps);
    let mut body = Map::default();
    body.set_filled("aws", home(&images));
    if shared && let Some((_, image)) = images.first() {
        body.within("defaults", |defaults| defaults.set_filled("build", image.steps.clone()));
    }
    let mut all = Map::default();
    for (build, image) in images {
        let mut map = Map::default();
        if mixed {
            map.set("platforms", Value::List(vec![build.platform.as_str().into()]));
        }
        let publish = image.map.get("publish").cloned();
        map.0.extend(image.map.0.into_iter().filter(|entry| entry.key != "publish"));
        if !shared {
            map.set_filled("build", image.steps);
        }
        if let Some(publish) = publish {
            map.set("publish", publish);
        }
        all.set_from(build.image.as_str(), map, &build.reader);
        all.comment(build.builder.comments.clone());
    }
    body.set_filled("images", all);
    draft.body = body;
}

/// The home region and the role: a manifest has one of each.
fn home(images: &[(Build, ImageDraft)]) -> Map {
    let mut aws = Map::default();
    for (build, image) in images {
        let Some((region, from)) = &image.region else { continue };
        match aws.get("region") {
            None => aws.set_from("region", region.clone(), from),
            Some(first) if first == region => {}
            Some(_) => from.drop(
                "a manifest has one home region; that of another builder is used",
                format!("Bake the image with `--image {} --region …`, or add an environment.", build.image),
            ),
        }
        if let (Some(role), None) = (&image.role, aws.get("role")) {
            aws.set("role", role.clone());
        }
    }
    aws
}
