//! The report of the version before, among the files of the release before.

use ami_bake_core::Result;
use ami_bake_core::report::{self, FILE_NAME, Report};

use crate::api::{Api, Release};

/// The report of the newest published release with one, other than `tag`, in this namespace. None where there is none.
/// A pre-release's counts only when `tag` is one itself, or none is named.
///
/// # Errors
/// When GitHub can't be asked, or the file is no report.
pub async fn last(api: &Api, namespace: &str, tag: Option<&str>) -> Result<Option<Report>> {
    let what = format!("find the last release of {}", api.repository());
    let all: Vec<Release> = api.list(&what, "releases", 1).await?;
    let ours = tag.and_then(|tag| all.iter().find(|release| release.tag_name == tag));
    let with_prereleases = ours.is_some_and(|release| release.prerelease);
    let others = all.iter().filter(|release| {
        !release.draft && Some(release.tag_name.as_str()) != tag && (with_prereleases || !release.prerelease)
    });
    for release in others {
        let Some(asset) = release.assets.iter().find(|asset| asset.name == FILE_NAME) else { continue };
        let found =
            report::parse(&api.download(asset).await?, &format!("{FILE_NAME} of release {}", release.tag_name))?;
        if found.namespace == namespace {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
