//! Names that the platform would refuse after the work was done.

use ami_bake_core::Route;
use ami_bake_core::plan::ImagePlan;

use crate::diagnostic::Diagnostic;
use crate::manifest::{ImageEntry, Manifest};
use crate::model::Platform;

/// What an AMI may be called and tagged (EC2 API, RegisterImage and Tag).
pub(super) fn plan(manifest: &Manifest, image: &ImageEntry, plan: &ImagePlan, findings: &mut Vec<Diagnostic>) {
    if manifest.platform != Platform::Aws {
        return;
    }
    let publish = Route::root().key("publish");
    let mut refuse = |key: &str, message: String, help: &str| {
        let span = image.node.place(&publish.key(key));
        let route = plan.route.key("publish").key(key);
        findings.push(Diagnostic::error("wrong-value", span, message).help(help).route(route));
    };
    let name = &plan.settings.name;
    let length = name.chars().count();
    if !(3..=128).contains(&length) {
        refuse(
            "name",
            format!("the image's name `{name}` has {length} characters"),
            "An AMI's name has 3 to 128: set `publish.name`.",
        );
    }
    if let Some(odd) = name.chars().find(|c| !is_name(*c)) {
        refuse(
            "name",
            format!("the image's name `{name}` holds {odd:?}"),
            "An AMI's name takes letters, digits, spaces and ( ) [ ] . / - ' @ _",
        );
    }
    if plan.settings.description.chars().count() > 255 {
        refuse(
            "description",
            "the description is longer than 255 characters".to_owned(),
            "Shorten it: EC2 takes no more.",
        );
    }
    // 50 tags in all (EC2 user guide, tag restrictions), of which ami-bake sets up to 18 of its own.
    if plan.settings.tags.len() > 32 {
        refuse(
            "tags",
            format!("{} tags are too many", plan.settings.tags.len()),
            "EC2 takes 50 on an image, 18 of which ami-bake sets.",
        );
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ' ' | '(' | ')' | '[' | ']' | '.' | '/' | '-' | '\'' | '@' | '_')
}
