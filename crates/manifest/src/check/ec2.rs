//! Rules of EC2 that can be checked without a cloud, each with its source. Rules that depend on the account or the
//! source image are checked before a machine starts.

use std::collections::HashMap;
use std::time::Duration;

use ami_bake_core::Route;
use ami_bake_core::plan::{AddressKind, ImagePlan, LoginKey, TestConnect};

use super::volumes::DiskRole;
use super::{host_key, volumes};
use crate::diagnostic::Diagnostic;
use crate::manifest::{ImageEntry, Manifest};
use crate::model::Platform;

/// Maximum number of tags of a resource (EC2 user guide, "Tag restrictions").
const TAGS: usize = 50;
/// Maximum number of tags that ami-bake gives a machine: its name, and those of the run and its origin.
const OWN_TAGS: usize = 12;
/// A leap year.
const YEAR: Duration = Duration::from_hours(24 * 366);
/// Maximum number of years until deprecation, of private and public images (EC2 user guide, "Deprecate an Amazon EC2
/// AMI").
const DEPRECATION_YEARS: u32 = 10;
const PUBLIC_DEPRECATION_YEARS: u32 = 2;
/// Maximum size of user data in bytes, before base64 (EC2 user guide, "Run commands when you launch an EC2 instance").
const USER_DATA: usize = 16 * 1024;
/// Minimum lifetime of a machine; the shutdown timer counts minutes.
const SHORTEST_LIFE: Duration = Duration::from_mins(1);

/// Reports everything in one image that EC2 would refuse.
pub(super) fn plan(manifest: &Manifest, image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    if manifest.platform != Platform::Aws {
        return;
    }
    let mut report = Report { image, plan, findings };
    machine(&mut report, manifest);
    publish(&mut report);
}

/// Reports findings at a route in one image.
struct Report<'a> {
    image: &'a ImageEntry,
    plan: &'a ImagePlan,
    findings: &'a mut Vec<Diagnostic>,
}

impl Report<'_> {
    /// `path` is relative to the image: keys, and indices of lists.
    fn error(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let below = |route: &Route| {
            path.split('.').fold(route.clone(), |route, key| match key.parse::<usize>() {
                Ok(index) => route.index(index),
                Err(_) => route.key(key),
            })
        };
        let span = self.image.node.place(&below(&Route::root()));
        let finding = Diagnostic::error("wrong-value", span, message).help(help);
        self.findings.push(finding.route(below(&self.plan.route)));
    }
}

fn machine(report: &mut Report<'_>, manifest: &Manifest) {
    let machine = &report.plan.machine;
    refuse(report, "machine.disk", volumes::refusal(&machine.disk, DiskRole::Root));
    let mut devices: HashMap<&str, usize> = HashMap::new();
    for (index, volume) in machine.volumes.iter().enumerate() {
        let place = format!("machine.volumes.{index}");
        let role = if volume.empty { DiskRole::Empty } else { DiskRole::Further };
        refuse(report, &place, volumes::conflict(volume).or_else(|| volumes::refusal(&volume.disk, role)));
        if let Some(first) = devices.insert(&volume.device, index) {
            report.error(
                &format!("{place}.device"),
                format!("{} is already the device of volume {}", volume.device, first + 1),
                "Each volume needs a device name of its own.",
            );
        }
    }
    let tags: std::collections::BTreeSet<&String> = manifest.tags.keys().chain(machine.tags.keys()).collect();
    if tags.len() > TAGS - OWN_TAGS {
        report.error(
            "machine.tags",
            format!("too many tags: {}", tags.len()),
            format!("EC2 allows {TAGS} tags per resource, and ami-bake sets up to {OWN_TAGS} of them."),
        );
    }
    if machine.policy.is_some()
        && let Some((key, odd)) = manifest.tags.iter().find_map(|(key, value)| Some((key, odd_in_iam(key, value)?)))
    {
        // IAM allows fewer characters than EC2 (IAM API reference, Tag).
        report.error(
            "machine.policy",
            format!("the role for `machine.policy` cannot have the tag `{key}` of `aws.tags`: it contains {odd:?}"),
            "Tags of roles can contain letters, digits, spaces and _ . : / = + - @",
        );
    }
    if machine.lifetime.is_some_and(|lifetime| lifetime < SHORTEST_LIFE) {
        report.error(
            "machine.lifetime",
            "`lifetime` is shorter than a minute: the machine would shut down before the build".to_owned(),
            "Leave it out for 2 hours plus the time limits of the steps.",
        );
    }
    if let Some(data) = machine.user_data.as_deref().filter(|data| data.len() > USER_DATA) {
        report.error(
            "machine.user-data",
            format!("the user data has {} bytes; the limit is {USER_DATA}", data.len()),
            "Move work to build steps, which have no limit, or `#include` a URL in the user data.",
        );
    }
    let jump = machine.connect.jump.as_ref();
    for (place, key) in [
        ("machine.connect.host-key", machine.connect.host_key.as_deref().filter(|key| *key != "console")),
        ("machine.connect.jump.host-key", jump.and_then(|jump| jump.host_key.as_deref())),
    ] {
        if let Some(why) = key.and_then(host_key::refusal) {
            report.error(place, format!("the host key is not valid: {why}"), host_key::HELP);
        }
    }
    if machine.connect.address == Some(AddressKind::Public) && machine.public_ip == Some(false) {
        report.error(
            "machine.public-ip",
            "`public-ip: false` leaves `connect: public` without an address",
            "Remove one of them.",
        );
    }
    if let Some(jump) = jump {
        if jump.host_key.is_none() {
            report.error(
                "machine.connect.jump",
                format!("the host key of the jump host {} is missing", jump.host),
                "Add `host-key: \"ssh-ed25519 …\"` (`ssh-keyscan` shows it), or `accept-new`.",
            );
        }
        if let Some(key) = jump.key.as_deref() {
            readable(report, "machine.connect.jump.key", "the key of the jump host", key);
        }
    }
    if let Some(TestConnect::Login { key: Some(LoginKey::File(key)), .. }) = &report.plan.settings.test_connect {
        readable(report, "test-connect.key", "the key of `test-connect`", key);
    }
}

/// Reports a private key that can't be read.
fn readable(report: &mut Report<'_>, place: &str, what: &str, key: &str) {
    if let Err(why) = std::fs::File::open(key) {
        report.error(
            place,
            format!("{what} can't be read: {key}: {why}"),
            "Set the path of a private key, relative to the manifest.",
        );
    }
}

fn refuse(report: &mut Report<'_>, place: &str, refusal: Option<volumes::Refusal>) {
    if let Some((key, message, help)) = refusal {
        report.error(&format!("{place}.{key}"), message, help);
    }
}

fn publish(report: &mut Report<'_>) {
    let plan = report.plan;
    let settings = &plan.settings;
    // RegisterImage and CreateImage answer InvalidParameterValue: "Character sets beyond ASCII are not supported".
    if let Some(odd) = settings.description.chars().find(|c| !(c.is_ascii_graphic() || *c == ' ')) {
        report.error(
            "publish.description",
            format!("the description contains {odd:?}"),
            "Descriptions of images can contain ASCII characters only, in one line.",
        );
    }
    let distribution = &settings.distribution;
    if let Some(after) = distribution.deprecate_after {
        let years = if distribution.share.public { PUBLIC_DEPRECATION_YEARS } else { DEPRECATION_YEARS };
        let of = if distribution.share.public { "a public image" } else { "an image" };
        if after < Duration::from_mins(1) {
            report.error(
                "publish.deprecate-after",
                "an image can't be deprecated when it is published",
                "Set a later time, such as `90d`, or remove `deprecate-after`.",
            );
        } else if after > YEAR * years {
            report.error(
                "publish.deprecate-after",
                format!("{of} can't be deprecated later than after {years} years"),
                "Set an earlier time, or remove `deprecate-after`.",
            );
        }
    }
    let lists = [("publish.regions".to_owned(), &distribution.regions)].into_iter().chain(
        distribution
            .targets
            .iter()
            .enumerate()
            .map(|(index, one)| (format!("publish.targets.{index}.regions"), &one.regions)),
    );
    for (place, regions) in lists {
        for (index, region) in regions.iter().enumerate() {
            if regions.iter().take(index).any(|other| other.region == region.region) {
                report.error(
                    &format!("{place}.{index}"),
                    format!("the region {} is listed twice", region.region),
                    "Remove one of them.",
                );
            }
        }
    }
}

/// The first character that is invalid in the tag of a role (IAM API reference, Tag).
fn odd_in_iam(key: &str, value: &str) -> Option<char> {
    let fits = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    key.chars().chain(value.chars()).find(|c| !fits(*c))
}
