//! Finds the report of the previous version among the files of its release.

use crate::event::tag::version as version_of;
use ami_bake_core::report::{self, FILE_NAME, Report};
use ami_bake_core::{Error, Result};
use semver::Version;

use crate::api::{Api, Release};

/// Maximum number of reports to read until one has the namespace: a repository may release several things.
const READ: usize = 10;

/// A report, and the tag of the release that has it.
#[derive(Debug, Clone, PartialEq)]
pub struct LastReport {
    /// The report.
    pub report: Report,
    /// Tag of the release.
    pub tag: String,
}

/// The report of the previous published release that has one in this namespace: that of the highest version below
/// `tag`, or of the newest release when `tag` is not a version. Pre-releases count only when `tag` is one itself.
///
/// # Errors
/// When the API fails, or the file is not a valid report.
pub async fn last(api: &Api, namespace: &str, tag: Option<&str>) -> Result<Option<LastReport>> {
    let what = format!("could not find the last release of {}", api.repository());
    let all: Vec<Release> = api.list(&what, "releases", 1).await?;
    let mut broken: Option<Error> = None;
    for release in before(&all, tag).into_iter().filter(|release| has_report(release)).take(READ) {
        match read(api, release).await {
            Ok(report) if report.namespace == namespace => {
                return Ok(Some(LastReport { report, tag: release.tag_name.clone() }));
            }
            Ok(_) => {}
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    broken.map_or(Ok(None), Err)
}

/// The releases before `tag`, nearest first.
fn before<'a>(all: &'a [Release], tag: Option<&str>) -> Vec<&'a Release> {
    let ours = tag.and_then(|tag| all.iter().find(|release| release.tag_name == tag));
    let with_prereleases = ours.is_some_and(|release| release.prerelease);
    let mut others: Vec<&Release> = all
        .iter()
        .filter(|release| !release.draft && Some(release.tag_name.as_str()) != tag)
        .filter(|release| with_prereleases || !release.prerelease)
        .collect();
    if let Some(ours) = tag.and_then(version_of) {
        let version = |release: &Release| -> Option<Version> { version_of(&release.tag_name) };
        others.retain(|release| version(release).is_some_and(|version| version < ours));
        // A stable sort: of two releases with the same version the newer one stays first.
        others.sort_by_key(|release| std::cmp::Reverse(version(release)));
    }
    others
}

fn has_report(release: &Release) -> bool {
    release.assets.iter().any(|asset| asset.name == FILE_NAME)
}

async fn read(api: &Api, release: &Release) -> Result<Report> {
    let asset = release.assets.iter().find(|asset| asset.name == FILE_NAME);
    let asset = asset.ok_or_else(|| Error::internal(format!("release {} has no {FILE_NAME}", release.tag_name)))?;
    report::parse(&api.download(asset).await?, &format!("{FILE_NAME} of release {}", release.tag_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(tag: &str, draft: bool, prerelease: bool) -> Release {
        Release {
            id: 1,
            tag_name: tag.to_owned(),
            body: None,
            html_url: String::new(),
            draft,
            prerelease,
            immutable: false,
            upload_url: String::new(),
            assets: Vec::new(),
        }
    }

    #[test]
    fn the_version_before_is_the_nearest_below() {
        let all = [
            release("v1.4.1", false, false),
            release("nightly", false, false),
            release("v2.0.0-rc.1", false, true),
            release("v1.5.0", true, false),
            release("v1.4.0", false, false),
            release("v1.3.9", false, false),
        ];
        let tags = |tag: Option<&str>| -> Vec<&str> {
            before(&all, tag).iter().map(|release| release.tag_name.as_str()).collect()
        };
        assert_eq!(tags(Some("v1.4.1")), ["v1.4.0", "v1.3.9"], "a later release is none before");
        assert_eq!(tags(Some("v1.3.10")), ["v1.3.9"]);
        assert_eq!(tags(Some("v2.0.0-rc.1")), ["v1.4.1", "v1.4.0", "v1.3.9"]);
        assert_eq!(tags(None), ["v1.4.1", "nightly", "v1.4.0", "v1.3.9"]);
    }
}
