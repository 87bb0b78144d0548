//! Selects the check for an action.

use super::question::{Question, Subject};
use super::{look, make, publish};
use crate::image::Images;

/// The check for an action of a policy, such as `ec2:RunInstances`; `None` if it has none.
pub(super) fn ask<'a>(images: &'a Images, action: &str, about: &'a Subject<'a>) -> Question<'a> {
    look::ask(&images.client, action, about)
        .or_else(|| make::ask(images, action, about))
        .or_else(|| publish::ask(&images.client, action, about))
}
