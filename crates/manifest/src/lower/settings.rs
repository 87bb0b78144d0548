//! Lowers an image's name, description, tags and seal settings.

use ami_bake_core::plan::{CaptureMode, ImageKey, ImageSettings, Keep, Retention};
use ami_bake_core::version::in_name;
use semver::Version;

use super::container::container;
use super::distribution::distribution;
use crate::model::{CaptureChoice, DurationText, Image, KeepChoice, KeepRule, TokenChoice};

/// The settings of an image; its default name is `NAME/IMAGE[-VARIANT]/VERSION`. `published` is the value of
/// `publish.if`.
pub(crate) fn settings(
    image: &Image,
    namespace: &str,
    key: &ImageKey,
    version: &Version,
    published: bool,
) -> ImageSettings {
    let publish = image.publish.as_ref();
    let seal = image.seal.clone().unwrap_or_default();
    let name = publish.and_then(|publish| publish.name.clone());
    ImageSettings {
        keep: seal.keep.into_iter().map(keep).collect(),
        allow: seal.allow,
        capture: match image.capture {
            None | Some(CaptureChoice::Halted) => CaptureMode::Halted,
            Some(CaptureChoice::Stopped) => CaptureMode::Stopped,
            Some(CaptureChoice::Live) => CaptureMode::Live,
        },
        name: name.unwrap_or_else(|| format!("{namespace}/{key}/{}", in_name(version))),
        description: publish.and_then(|publish| publish.description.clone()).unwrap_or_default(),
        tags: publish.map(|publish| publish.tags.0.iter().cloned().collect()).unwrap_or_default(),
        imds_v2: publish.and_then(|publish| publish.imds).map(|imds| imds == TokenChoice::Required),
        container: publish.and_then(|publish| publish.docker.as_ref()).map(|docker| container(docker, published)),
        distribution: distribution(publish, published),
        deployments: Vec::new(),
        test_connect: None,
        retention: publish.and_then(|publish| publish.keep.as_ref()).map(retention).unwrap_or_default(),
    }
}

fn retention(rule: &KeepRule) -> Retention {
    Retention { last: rule.last, newer_than: rule.newer_than.as_ref().and_then(DurationText::duration) }
}

fn keep(choice: KeepChoice) -> Keep {
    match choice {
        KeepChoice::Logs => Keep::Logs,
        KeepChoice::History => Keep::History,
        KeepChoice::MachineId => Keep::MachineId,
        KeepChoice::Caches => Keep::Caches,
        KeepChoice::HostKeys => Keep::HostKeys,
    }
}
