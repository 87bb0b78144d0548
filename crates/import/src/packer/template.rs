//! A whole template to a manifest's tree.

use std::cell::RefCell;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::build::{Build, Image, Platform};
use super::variables::Variables;
use super::{builder, post, provisioner};
use crate::comment;
use crate::context::Context;
use crate::input::{Finding, Kind, Reader};
use crate::output::Draft;
use crate::paths::Paths;
use crate::yaml::{Map, Value, write};

/// What goes with a template.
pub(crate) struct Given<'a> {
    /// Files of variables, in order.
    pub(crate) files: Vec<Reader<'a>>,
    /// Variables of the command line.
    pub(crate) sets: &'a [(String, String)],
    /// The time to evaluate with.
    pub(crate) now: Option<Timestamp>,
    /// The file's name without its ending.
    pub(crate) stem: &'a str,
    /// Where paths begin and end.
    pub(crate) paths: &'a Paths,
}

/// Imports a template; the draft has no images when nothing of it can be.
pub(crate) fn import(template: &Reader, given: &Given) -> Draft {
    parts(template, std::slice::from_ref(template), given)
}

/// The same for a template in parts, each of which has builders, provisioners and post-processors of its own; parts of one
/// `build` share their steps.
pub(crate) fn parts(template: &Reader, parts: &[Reader], given: &Given) -> Draft {
    let folder = given.paths.input.to_string_lossy().into_owned();
    let variables = Variables::read(template, &given.files, given.sets, given.now, &folder);
    let mut draft = Draft { stem: given.stem.to_owned(), ..Draft::default() };
    draft.head.extend(comment::of(template));
    draft.head.extend(template.get("description").iter().flat_map(comment::text));
    top(template);

    let typed = RefCell::new(BTreeSet::new());
    let mut images: Vec<(Build, Image)> = Vec::new();
    let mut homes: Vec<usize> = Vec::new();
    for (home, build) in builds(parts, &variables, given.stem) {
        let context = Context { scope: &build, paths: given.paths, typed: &typed };
        if let Some(image) = builder::image(&build, &context) {
            images.push((build, image));
            homes.push(home);
        }
    }
    for ((build, image), home) in images.iter_mut().zip(&homes) {
        let context = Context { scope: &*build, paths: given.paths, typed: &typed };
        provisioner::steps(&parts[*home], build, &context, image);
        post::process(&parts[*home], build, &context, image);
    }
    rest(parts, &images, &homes);
    assemble(images, &mut draft);

    // What the manifest says decides which variables it needs; `if`s and secrets count.
    let text = write(&draft.body);
    let (vars, secrets) = variables.write(&text, &typed.borrow());
    for name in variables.idle() {
        template.log().say(Finding {
            kind: Kind::Dropped,
            file: template.file().to_owned(),
            path: format!("--set {name}"),
            why: "the template has no such variable".to_owned(),
            help: "Look how it is spelled there.".to_owned(),
        });
    }
    (draft.vars, draft.secrets) = (vars, secrets);
    draft
}

/// Tells of provisioners and post-processors that no image has.
fn rest(parts: &[Reader], images: &[(Build, Image)], homes: &[usize]) {
    for (at, part) in parts.iter().enumerate() {
        let own = || images.iter().zip(homes).filter(|(_, home)| **home == at).map(|(image, _)| image);
        let names: Vec<&str> = own().map(|(build, _)| build.name.as_str()).collect();
        let shared = group(part).is_some_and(|own| homes.iter().any(|home| group(&parts[*home]) == Some(own)));
        if names.is_empty() && shared {
            // The same steps stand in a part that came over.
            ["provisioners", "post-processors"].iter().filter_map(|key| part.get(key)).for_each(|steps| steps.tick());
            continue;
        }
        provisioner::rest(part, &names);
        let docker = own().filter(|(build, _)| build.platform == Platform::Docker);
        let docker: Vec<&str> = docker.map(|(build, _)| build.name.as_str()).collect();
        post::rest(part, &docker);
    }
}

/// The `build` that a part belongs to.
fn group<'a>(part: &Reader<'a>) -> Option<&'a str> {
    part.get("build")?.text()
}

/// Top-level fields beside builders, provisioners and post-processors.
fn top(template: &Reader) {
    if let Some(version) = template.get("min_packer_version") {
        version.drop("ami-bake takes the place of Packer", "");
    }
    if let Some(push) = template.get("push") {
        push.drop("`push` sent the template to Atlas, which is gone", "");
    }
    if let Some(cleanup) = template.get("error-cleanup-provisioner") {
        cleanup.drop(
            "a failed bake has no steps for cleaning up: its machine is gone",
            "Give single steps `on-failure: continue` and a step behind them, where something outside has to be cleaned up.",
        );
    }
}

/// The builders with the names that their images get, and the part that each stands in.
fn builds<'a, 'v>(parts: &[Reader<'a>], variables: &'v Variables<'a>, stem: &str) -> Vec<(usize, Build<'a, 'v>)> {
    let builders = |part: &Reader<'a>| part.get("builders").iter().flat_map(Reader::items).collect::<Vec<_>>();
    let readers: Vec<(usize, Reader)> =
        parts.iter().enumerate().flat_map(|(at, part)| builders(part).into_iter().map(move |one| (at, one))).collect();
    let single = readers.len() == 1;
    let mut builds: Vec<(usize, Build)> = Vec::new();
    for (home, reader) in readers {
        let Some(kind) = reader.get("type").and_then(|kind| kind.text()) else {
            reader.drop("the builder has no `type`", "Add it, and import again.");
            continue;
        };
        let mut build = Build {
            name: kind.to_owned(),
            image: String::new(),
            kind: kind.to_owned(),
            platform: if kind == "docker" { Platform::Docker } else { Platform::Aws },
            reader: reader.clone(),
            variables,
        };
        let named = reader.get("name").and_then(|name| {
            let text = name.text()?;
            crate::template::evaluate(text, &build, &mut |_| {}).ok()?.known().filter(|known| !known.is_empty())
        });
        let own = named.clone().unwrap_or_else(|| if single { stem.to_owned() } else { kind.to_owned() });
        if let Some(named) = named {
            build.name = named;
        }
        let mut image = crate::output::name(&own);
        let mut count = 1;
        while builds.iter().any(|(_, known)| known.image == image) {
            count += 1;
            image = format!("{}-{count}", crate::output::name(&own));
        }
        build.image = image;
        builds.push((home, build));
    }
    builds
}

/// Puts images together: what all share stands once.
fn assemble(images: Vec<(Build, Image)>, draft: &mut Draft) {
    let mixed = images.windows(2).any(|pair| pair[0].0.platform != pair[1].0.platform);
    if !mixed && let Some((build, _)) = images.first() {
        draft.platform = build.platform.as_str();
    }
    let shared = images.len() > 1 && images.windows(2).all(|pair| pair[0].1.steps == pair[1].1.steps);
    let mut body = Map::default();
    let mut aws = Map::default();
    for (build, image) in &images {
        let Some((region, origin)) = &image.region else { continue };
        match aws.get("region") {
            None => {
                aws.set("region", region.clone());
                if let Some(entry) = aws.0.last_mut() {
                    entry.origin = Some(origin.clone());
                }
            }
            Some(first) if first == region => {}
            Some(_) => {
                if let Some(region) = build.reader.get("region") {
                    region.drop(
                        "one manifest has one home region, which another builder has taken",
                        format!(
                            "Bake the image with `--image {} --region …`, or make an environment of it.",
                            build.image
                        ),
                    );
                }
            }
        }
        if let (Some(role), None) = (&image.role, aws.get("role")) {
            aws.set("role", role.clone());
        }
    }
    body.set_filled("aws", aws);
    if shared && let Some((_, image)) = images.first() {
        body.within("defaults", |defaults| defaults.set_filled("build", image.steps.clone()));
    }
    let mut all = Map::default();
    for (build, image) in images {
        let comments = comment::of(&build.reader);
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
        all.set(build.image.as_str(), map);
        all.comment(comments);
    }
    body.set_filled("images", all);
    draft.body = body;
}
