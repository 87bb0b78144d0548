//! Looks into the folders that steps upload.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ami_bake_core::Route;
use ami_bake_core::plan::{ImagePlan, Selection, StepAction, local_files};

use super::steps::own;
use crate::access::FileError;
use crate::diagnostic::Diagnostic;
use crate::manifest::{ImageEntry, Manifest};
use crate::step_files::confined;

/// The folders that were looked into: most variants of an image upload the same ones.
pub(super) type Seen = HashSet<(Route, PathBuf, Vec<String>, bool)>;

/// Maximum number of paths that one note names.
const NAMED: usize = 3;

/// Reports what may not be sent, and says which of Git's folders and files stay here.
pub(super) fn plan(
    manifest: &Manifest,
    image: &ImageEntry,
    plan: &ImagePlan,
    seen: &mut Seen,
    findings: &mut Vec<Diagnostic>,
) {
    for step in plan.build.iter().chain(&plan.validate).chain(&plan.test) {
        let StepAction::Upload(upload) = &step.action else { continue };
        let key = (step.route.clone(), upload.from.clone(), upload.exclude.clone(), upload.follow_links);
        // A path that the manifest may not name is reported elsewhere, and what can't be read when the image is planned.
        if manifest.files.locate(&upload.from).is_err() || !seen.insert(key) {
            continue;
        }
        let found = Selection::sent(&upload.exclude)
            .and_then(|selection| local_files(&upload.from, &selection, upload.follow_links));
        let Ok(found) = found else { continue };
        let route = step.route.key("upload");
        let place = image.node.place(&own(&route));
        if let Err(FileError::Forbidden { message, help }) = confined(&found, &step.action, &manifest.files) {
            findings.push(Diagnostic::error("file-not-allowed", place, message).help(help).route(route.clone()));
        }
        if let Some(first) = found.repositories.first() {
            let named = found.repositories.iter().take(NAMED).map(|path| format!("`{}`", path.display()));
            let more = match found.repositories.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message = format!(
                "not uploaded, since Git's own folders may contain credentials: {}{more}",
                named.collect::<Vec<_>>().join(", ")
            );
            let name = Path::new(first.file_name().unwrap_or_default()).display();
            let help = format!("To upload it all the same, set `exclude: [\"!{name}\"]`.");
            findings.push(Diagnostic::note("repository", place, message).help(help).route(route));
        }
    }
}
