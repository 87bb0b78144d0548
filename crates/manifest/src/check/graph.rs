//! Checks how images are built on each other, as far as the file names them literally, even if the rest is invalid.

use std::collections::HashMap;

use ami_bake_core::{Route, Segment};

use crate::diagnostic::Diagnostic;
use crate::expression::Template;
use crate::tree::{Entry, Kind, Node};
use crate::words;

/// Reports unknown images, cycles, and images without a source.
pub(crate) fn graph(root: &Node, findings: &mut Vec<Diagnostic>) {
    let images = root.get("images").map(Node::entries).unwrap_or_default();
    let default = root.get("defaults").and_then(|defaults| defaults.get("source"));
    let environments = root.get("environments").map(Node::entries).unwrap_or_default();
    let elsewhere = |name: &str| {
        let place =
            [Segment::Key("images".to_owned()), Segment::Key(name.to_owned()), Segment::Key("source".to_owned())];
        environments.iter().any(|environment| environment.value.at(&place).is_some())
    };
    let index: HashMap<&str, usize> = images.iter().enumerate().map(|(at, image)| (image.key.as_str(), at)).collect();
    let mut below: Vec<Option<usize>> = Vec::with_capacity(images.len());
    for image in images {
        let source = image.value.get("source").or(default);
        // An image that is not a map has been reported already.
        let is_map = matches!(image.value.kind, Kind::Map(_));
        if source.is_none() && is_map && !elsewhere(&image.key) {
            findings.push(without_source(image));
        }
        below.push(source.and_then(|source| base(image, source, &index, findings)));
    }
    circles(images, &below, findings);
}

fn without_source(image: &Entry) -> Diagnostic {
    Diagnostic::error("missing-key", image.key_span, format!("the image `{}` has no `source`", image.key))
        .help("Add `source` with one entry per platform, or with `image` for another image of this manifest.")
        .route(Route::root().key("images").key(image.key.as_str()))
}

/// The index of the image's base.
fn base(image: &Entry, source: &Node, index: &HashMap<&str, usize>, findings: &mut Vec<Diagnostic>) -> Option<usize> {
    if source.get("from").is_some() || source.get("version").is_some() {
        return None;
    }
    let node = source.get("image")?;
    let name = node.as_text().filter(|name| !Template::is_one(name))?;
    if let Some(at) = index.get(name) {
        return Some(*at);
    }
    let finding = Diagnostic::error("unknown-image", node.span, format!("the manifest has no image `{name}`"))
        .route(Route::root().key("images").key(image.key.as_str()).key("source").key("image"));
    findings.push(finding.help(match words::near(name, index.keys().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => "To use a published image, add `from: NAME` or a `version` range.".to_owned(),
    }));
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Reports cycles, each once. Each image has one source, so dependencies form chains.
fn circles(images: &[Entry], below: &[Option<usize>], findings: &mut Vec<Diagnostic>) {
    let mut marks = vec![Mark::New; images.len()];
    for start in 0..images.len() {
        let mut path: Vec<usize> = Vec::new();
        let mut at = Some(start);
        while let Some(image) = at.filter(|image| marks[*image] == Mark::New) {
            marks[image] = Mark::Open;
            path.push(image);
            at = below[image];
        }
        if let Some(image) = at.filter(|image| marks[*image] == Mark::Open) {
            let from = path.iter().position(|step| *step == image).unwrap_or(0);
            let circle = path[from..].iter().chain([&image]).map(|step| format!("`{}`", images[*step].key));
            let names = circle.collect::<Vec<_>>().join(" → ");
            let route = Route::root().key("source").key("image");
            findings.push(
                Diagnostic::error(
                    "image-cycle",
                    images[image].value.place(&route),
                    format!("the images depend on each other: {names}"),
                )
                .help("Give one of them another source.")
                .route(Route::root().key("images").key(images[image].key.as_str()).key("source").key("image")),
            );
        }
        for image in path {
            marks[image] = Mark::Done;
        }
    }
}
