//! Selects the images of `ami-bake images show` and `rm` by name, version or ID.

use std::sync::Arc;

use ami_bake_core::platform::{ImageQuery, ImageRecord, Listed, Platform};
use ami_bake_core::{Error, Result, Run};
use semver::{Version, VersionReq};

use crate::args::TargetArgs;
use crate::program::Program;
use crate::session::{Target, target};

/// Argument that selects images, such as `web@1.4.0`, an ID or a full name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageName {
    text: String,
    image: String,
    version: Versions,
}

/// The versions in an [`ImageName`].
#[derive(Debug, Clone, PartialEq, Eq)]
enum Versions {
    /// `web@1.2.0`, or an ID or full name, which has no version of its own.
    Exact(Option<Version>),
    /// `web@^1`: the highest tested version.
    HighestIn(VersionReq),
    /// `web`: the highest tested version that is not a pre-release.
    Highest,
    /// `web` with `--all-versions`.
    All,
}

impl ImageName {
    /// Parses `IMAGE`, `IMAGE@VERSION`, `IMAGE@RANGE`, `NAME/IMAGE/VERSION` or an ID.
    ///
    /// # Errors
    /// When what follows the `@` is neither a version nor a range.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (image, version) = match text.split_once('@') {
            None => (text, Versions::Highest),
            Some((image, version)) => match (version.parse(), version.parse()) {
                (Ok(version), _) => (image, Versions::Exact(Some(version))),
                (_, Ok(range)) => (image, Versions::HighestIn(range)),
                (Err(error), Err(_)) => {
                    return Err(Error::usage(format!("`{version}` is not a valid version"))
                        .because(error)
                        .help("Use a version such as `web@1.4.0`, or a range such as `web@^1`."));
                }
            },
        };
        Ok(Self { text: text.to_owned(), image: image.to_owned(), version })
    }

    /// Restricts the name to exactly one version or all versions, as deletion requires.
    ///
    /// # Errors
    /// When the text names a range, or an image without a version and without `--all-versions`.
    pub(super) fn exact(mut self, all_versions: bool) -> Result<Self> {
        match (&self.version, all_versions) {
            (Versions::Highest, true) => self.version = Versions::All,
            // An ID or a full name.
            (Versions::Highest, false) => self.version = Versions::Exact(None),
            (Versions::Exact(_), false) => {}
            (_, true) => {
                return Err(Error::usage(format!("--all-versions contradicts `{}`", self.text))
                    .help(format!("Use `{} --all-versions`.", self.image)));
            }
            (_, false) => {
                return Err(Error::usage(format!("`{}` is not an exact version", self.text))
                    .help(format!("Use a version such as `{}@1.4.0`, or --all-versions.", self.image)));
            }
        }
        Ok(self)
    }

    /// The images of `all` that the argument selects, in every region.
    pub(super) fn of<'a>(&self, all: &'a [Listed]) -> Vec<&'a Listed> {
        let by_id: Vec<&Listed> =
            all.iter().filter(|listed| listed.image.id == self.text || listed.image.name == self.text).collect();
        if !by_id.is_empty() {
            return by_id;
        }
        let named: Vec<&Listed> = all.iter().filter(|listed| self.is_image(&listed.image)).collect();
        let highest = |fits: &dyn Fn(&Version) -> bool| {
            let tested = named.iter().filter(|listed| listed.image.tested.is_some() && fits(&listed.image.version));
            tested.map(|listed| listed.image.version.clone()).max()
        };
        let version = match &self.version {
            Versions::All => return named,
            Versions::Exact(version) => version.clone(),
            Versions::HighestIn(range) => highest(&|version| range.matches(version)),
            Versions::Highest => highest(&|version| version.pre.is_empty()),
        };
        named.into_iter().filter(|listed| Some(&listed.image.version) == version.as_ref()).collect()
    }

    fn is_image(&self, image: &ImageRecord) -> bool {
        let key = image.key.to_string();
        self.image == image.key.image || self.image == key || self.image == format!("{}/{key}", image.namespace)
    }

    /// The error when the argument selects no image.
    pub(super) fn not_found(&self, namespace: Option<&str>) -> Error {
        let of = namespace.map(|name| format!(" in `{name}`")).unwrap_or_default();
        let hint = match self.version {
            Versions::Exact(None) => {
                format!(" Name its version, such as `{}@1.4.0`, or use --all-versions.", self.image)
            }
            _ => String::new(),
        };
        Error::preflight(format!("image `{}` not found{of}", self.text))
            .help(format!("`ami-bake images` lists the images.{hint}"))
    }
}

/// All images by ami-bake in the regions and accounts of the manifest or the flags.
pub(super) struct Inventory {
    pub(super) platform: Arc<dyn Platform>,
    pub(super) target: Target,
    /// Images of every name, since images of other names may be built on a deleted one.
    pub(super) all: Vec<Listed>,
}

impl Inventory {
    /// Lists the images.
    ///
    /// # Errors
    /// When the manifest is invalid, or the home region can't be searched.
    pub(super) async fn look_up(program: &Program, run: &Run, args: TargetArgs) -> Result<Self> {
        let target = target(program, &args.manifest, args.platform)?;
        let platform = target.connect(program, run).await?;
        let query = ImageQuery::default();
        let all = run.until_cancelled(platform.inventory(run, &query, &target.published)).await??;
        Ok(Self { platform, target, all })
    }

    /// The images that can be named: those of the manifest's namespace.
    pub(super) fn named(&self, name: &ImageName) -> Result<Vec<Listed>> {
        let namespace = self.target.namespace.as_deref();
        let own: Vec<Listed> =
            self.all.iter().filter(|one| namespace.is_none_or(|name| one.image.namespace == name)).cloned().collect();
        let found: Vec<Listed> = name.of(&own).into_iter().cloned().collect();
        if found.is_empty() { Err(name.not_found(namespace)) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use ami_bake_core::plan::{Digest, ImageKey};

    use super::*;

    fn listed(id: &str, image: &str, variant: Option<&str>, version: &str, tested: bool) -> Listed {
        let key = ImageKey { image: image.to_owned(), variant: variant.map(str::to_owned) };
        let image = ImageRecord {
            id: id.to_owned(),
            name: format!("shop/{key}/{version}"),
            region: None,
            account: None,
            namespace: "shop".to_owned(),
            key,
            version: version.parse().unwrap(),
            digest: Digest::from_text("sha256:0"),
            tested: tested.then(|| "2026-11-30T00:00:00Z".parse().unwrap()),
            created: None,
            available: true,
            architecture: None,
            parts: Vec::new(),
            size: None,
            tags: std::collections::BTreeMap::new(),
        };
        Listed { image, usage: None }
    }

    fn all() -> Vec<Listed> {
        vec![
            listed("ami-1", "web", None, "1.0.0", true),
            listed("ami-2", "web", None, "1.1.0", true),
            listed("ami-3", "web", None, "2.0.0-pr.1", true),
            listed("ami-4", "web", None, "3.0.0", false),
            listed("ami-5", "web", Some("arm64"), "1.0.0", true),
            listed("ami-6", "web-arm64", None, "9.0.0", true),
        ]
    }

    fn ids(name: &ImageName) -> Vec<String> {
        name.of(&all()).into_iter().map(|listed| listed.image.id.clone()).collect()
    }

    #[test]
    fn names_select_what_they_say() {
        for (text, expected) in [
            ("ami-3", &["ami-3"][..]),
            ("shop/web/1.0.0", &["ami-1"]),
            ("web@1.0.0", &["ami-1", "ami-5"]),
            ("shop/web@1.1.0", &["ami-2"]),
            ("web@^1", &["ami-2"]),
            ("web", &["ami-2"]),
            ("web@^7", &[]),
            ("db", &[]),
        ] {
            assert_eq!(ids(&ImageName::parse(text).unwrap()), expected, "{text}");
        }
        assert!(ImageName::parse("web@one").unwrap_err().message().contains("`one` is not a valid version"));
    }

    #[test]
    fn only_exact_names_can_be_deleted() {
        let exact = |text: &str, all: bool| ImageName::parse(text).unwrap().exact(all);
        assert_eq!(ids(&exact("web@1.1.0", false).unwrap()), ["ami-2"]);
        assert_eq!(ids(&exact("ami-4", false).unwrap()), ["ami-4"]);
        assert_eq!(ids(&exact("web", true).unwrap()), ["ami-1", "ami-2", "ami-3", "ami-4", "ami-5"]);
        assert_eq!(ids(&exact("web", false).unwrap()), [""; 0], "no version is not the highest one");
        assert!(exact("web@^1", false).unwrap_err().message().contains("not an exact version"));
        assert!(exact("web@1.0.0", true).unwrap_err().message().contains("contradicts"));
    }
}
