//! Names for candidates: images that are not tested yet.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::plan::ImagePlan;
use crate::run::Run;
use crate::version::in_name;

/// Maximum length of an image name that every platform accepts (EC2 API reference, RegisterImage).
const LIMIT: usize = 128;

/// A name that no look-up by the image's own name can match, and that is unique to this run and image.
pub(super) fn candidate_name(run: &Run, plan: &ImagePlan) -> String {
    let end = run.id().get(run.id().len().saturating_sub(12)..).unwrap_or(run.id());
    within_limit(&format!("ami-bake-candidate/{}/{}/{}", plan.namespace, plan.key, in_name(&plan.version)), end)
}

/// Shortens `whole` to the limit; a shortened name ends in a hash of the original.
fn within_limit(whole: &str, end: &str) -> String {
    let room = LIMIT - 1 - end.len();
    if whole.len() <= room {
        return format!("{whole}/{end}");
    }
    let mut hasher = DefaultHasher::new();
    whole.hash(&mut hasher);
    let hash = format!("{:016x}", hasher.finish());
    let kept: String = whole.chars().take(room - 1 - hash.len()).collect();
    format!("{kept}-{hash}/{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_stays_unique() {
        assert_eq!(
            within_limit("ami-bake-candidate/shop/web/1.0.0", "123456789abc"),
            "ami-bake-candidate/shop/web/1.0.0/123456789abc"
        );
        let long = |version: &str| {
            within_limit(&format!("ami-bake-candidate/{}/web/{version}", "x".repeat(120)), "123456789abc")
        };
        assert_eq!(long("1.0.0").len(), LIMIT);
        assert_ne!(long("1.0.0"), long("1.0.1"));
        assert!(long("1.0.0").ends_with("/123456789abc"));
    }
}
