//! Sorts images into build order.

use std::collections::HashMap;

use ami_bake_core::Route;

use crate::diagnostic::Diagnostic;
use crate::manifest::Manifest;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Sorts images so that each comes after its base. A cycle is an error.
pub(super) fn sort(manifest: &mut Manifest, findings: &mut Vec<Diagnostic>) {
    let images = &manifest.images;
    let index: HashMap<&str, usize> = images.iter().enumerate().map(|(at, image)| (image.name.as_str(), at)).collect();
    let below: Vec<Option<usize>> = images
        .iter()
        .map(|image| {
            image
                .variants
                .iter()
                .find_map(|variant| variant.after.as_ref())
                .and_then(|key| index.get(key.image.as_str()).copied())
        })
        .collect();
    let mut marks = vec![Mark::New; images.len()];
    let mut order = Vec::with_capacity(images.len());
    for start in 0..images.len() {
        // Each image has one source, so its dependencies form a chain.
        let mut path: Vec<usize> = Vec::new();
        let mut at = Some(start);
        while let Some(image) = at {
            match marks[image] {
                Mark::Done => break,
                // A cycle. Only one through an expression is found here: `check::graph` finds the others.
                Mark::Open => {
                    let span = images[image].node.place(&Route::root().key("source").key("image"));
                    let message = format!("the image `{}` depends on itself", images[image].name);
                    findings.push(
                        Diagnostic::error("image-cycle", span, message).help("Give one of the images another source."),
                    );
                    break;
                }
                Mark::New => {
                    marks[image] = Mark::Open;
                    path.push(image);
                    at = below[image];
                }
            }
        }
        for image in path.into_iter().rev() {
            if marks[image] == Mark::Open {
                marks[image] = Mark::Done;
                order.push(image);
            }
        }
    }
    let mut slots: Vec<_> = std::mem::take(&mut manifest.images).into_iter().map(Some).collect();
    manifest.images = order.into_iter().filter_map(|at| slots.get_mut(at).and_then(Option::take)).collect();
}
