//! Combines all sources about the users of an image.

use std::collections::BTreeMap;

use ami_bake_core::platform::Usage;
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::types::Image;

use super::reports::{Reported, reported};
use super::users::Users;
use super::{groups, references, shared};
use crate::client::Client;

/// Whether to read EC2's usage reports of shared images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reports {
    /// Do not read them: nothing is to be deleted, and each shared image would be a call.
    No,
    /// Read existing reports.
    Look,
    /// Read existing reports, and request missing ones.
    Ask,
}

/// The users of each of these images of this account and region, by ID.
pub(crate) async fn usage(client: &Client, run: &Run, images: &[&Image], reports: Reports) -> BTreeMap<String, Usage> {
    let ids: Vec<String> = images.iter().filter_map(|image| image.image_id()).map(str::to_owned).collect();
    if ids.is_empty() {
        return BTreeMap::new();
    }
    let now = run.clock().now();
    let (referenced, grouped, launched, reported) = tokio::join!(
        references::references(client, &ids),
        groups::groups(client),
        shared::launched(client, images, now),
        elsewhere(client, run, images, reports)
    );
    let Reported { users: elsewhere, mut open } = match reported {
        Ok(reported) => reported,
        Err(error) => return unknown(run, client.place(), &ids, &error),
    };
    let mut users = Users::new();
    for found in [referenced, grouped, launched, Ok(elsewhere)] {
        match found {
            Ok(found) => {
                for (image, by) in found {
                    users.entry(image).or_default().extend(by);
                }
            }
            Err(error) => return unknown(run, client.place(), &ids, &error),
        }
    }
    let of = |id: String| {
        let by: Vec<String> = users.remove(&id).unwrap_or_default().into_iter().collect();
        let usage = match open.remove(&id) {
            Some(why) if by.is_empty() => Usage::Unknown(why),
            _ => Usage::By(by),
        };
        (id, usage)
    };
    ids.into_iter().map(of).collect()
}

/// Users in the accounts that images are shared with.
async fn elsewhere(client: &Client, run: &Run, images: &[&Image], reports: Reports) -> Result<Reported> {
    if reports == Reports::No {
        return Ok(Reported::default());
    }
    let shared = shared::shared(client, images).await?;
    reported(client, run, &shared, reports == Reports::Ask).await
}

/// The result when one look-up failed: its part is unknown for all images.
fn unknown(run: &Run, place: &str, ids: &[String], error: &Error) -> BTreeMap<String, Usage> {
    run.warn(
        format!("could not find out who uses the images in {place}: {error}"),
        error.help_text().map(str::to_owned),
    );
    ids.iter().map(|id| (id.clone(), Usage::Unknown(error.message().to_owned()))).collect()
}

/// Why an image can't be deleted, for messages; `None` when it can.
pub(crate) fn holder(image: &Image, usage: Option<&Usage>) -> Option<String> {
    // `enabled-with-cooldown`, and `disabled` until its cooldown is over, protect too (EC2 user guide, "Protect an AMI
    // from deregistration"); EC2 itself refuses the latter.
    if image.deregistration_protection().is_some_and(|state| state.starts_with("enabled")) {
        return Some("it has deregistration protection".to_owned());
    }
    match usage {
        Some(Usage::By(by)) if by.is_empty() => None,
        Some(Usage::By(by)) => Some(format!("used by {}", brief(by))),
        Some(Usage::Unknown(why)) => Some(format!("its users are unknown: {why}")),
        None => Some("its users are unknown".to_owned()),
    }
}

/// The first three names, and the number of others.
fn brief(all: &[String]) -> String {
    match all {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        all => all.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_unused_and_unprotected_can_go() {
        let image = Image::builder().image_id("ami-1").build();
        let by = |names: &[&str]| Usage::By(names.iter().map(ToString::to_string).collect());
        assert_eq!(holder(&image, Some(&by(&[]))), None);
        assert_eq!(holder(&image, Some(&by(&["instance i-1"]))).unwrap(), "used by instance i-1");
        assert_eq!(holder(&image, Some(&by(&["a", "b", "c", "d", "e"]))).unwrap(), "used by a, b, c and 2 more");
        assert!(holder(&image, Some(&Usage::Unknown("x".to_owned()))).unwrap().contains("users are unknown"));
        assert!(holder(&image, None).is_some());
        let protected = Image::builder().deregistration_protection("enabled-without-cooldown").build();
        assert!(holder(&protected, Some(&by(&[]))).unwrap().contains("deregistration protection"));
    }
}
