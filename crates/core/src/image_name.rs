//! The name by which a person selects images on the command line.

use std::collections::BTreeSet;

use semver::{Version, VersionReq};

use crate::error::{Error, Result};
use crate::image::ImageRecord;
use crate::version;

/// An image's ID, its full name, or `[NAME/]IMAGE[@VERSION]`, where IMAGE stands for all its variants, or
/// `IMAGE-VARIANT` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    text: String,
    image: String,
    versions: Versions,
}

/// The versions in an [`ImageName`].
#[derive(Debug, Clone, PartialEq, Eq)]
enum Versions {
    /// `web@1.2.0`; without a version only an ID or a full name.
    Exact(Option<Version>),
    /// `web@^1`, or `web` for final versions: the highest tested one.
    Highest(Option<VersionReq>),
    /// `web` with `--all-versions`.
    All,
}

impl ImageName {
    /// Parses a name.
    ///
    /// # Errors
    /// When the text after the `@` is neither a version nor a range.
    pub fn parse(text: &str) -> Result<Self> {
        let (image, versions) = match text.split_once('@') {
            None => (text, Versions::Highest(None)),
            Some((image, version)) => match version.parse() {
                Ok(version) => (image, Versions::Exact(Some(version))),
                Err(_) => (image, Versions::Highest(Some(version::range(version)?))),
            },
        };
        Ok(Self { text: text.to_owned(), image: image.to_owned(), versions })
    }

    /// Restricts the name to one version, or to all with `all_versions`: what may be deleted.
    ///
    /// # Errors
    /// When the name has a range, or a version beside `all_versions`.
    pub fn exact(mut self, all_versions: bool) -> Result<Self> {
        match (&self.versions, all_versions) {
            (Versions::Highest(None), true) => self.versions = Versions::All,
            (Versions::Highest(None), false) => self.versions = Versions::Exact(None),
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

    /// The images that the name selects, in every region; none if there are none.
    ///
    /// # Errors
    /// When images of several manifests have the name.
    pub fn select<'a>(&self, all: impl IntoIterator<Item = &'a ImageRecord>) -> Result<Vec<&'a ImageRecord>> {
        let all: Vec<&ImageRecord> = all.into_iter().collect();
        let by_id: Vec<&ImageRecord> =
            all.iter().copied().filter(|image| image.id == self.text || self.is_full_name(image)).collect();
        if !by_id.is_empty() {
            return Ok(by_id);
        }
        let mut named: Vec<&ImageRecord> = all.into_iter().filter(|image| self.is_image(image)).collect();
        let version = match &self.versions {
            Versions::All => None,
            Versions::Exact(None) => return Ok(Vec::new()),
            Versions::Exact(Some(version)) => Some(version.clone()),
            Versions::Highest(range) => {
                named.retain(|image| image.tested.is_some() && version::in_range(&image.version, range.as_ref()));
                None
            }
        };
        named.retain(|image| version.as_ref().is_none_or(|version| image.version == *version));
        let namespaces: BTreeSet<&str> = named.iter().map(|image| image.namespace.as_str()).collect();
        if namespaces.len() > 1 {
            let names: Vec<String> = namespaces.iter().map(|name| format!("{name}/{}", self.image)).collect();
            return Err(Error::usage(format!("`{}` is ambiguous: {}", self.text, names.join(", ")))
                .help("Several manifests have an image with this name. Use NAME/IMAGE or the image's ID."));
        }
        if let Versions::Highest(_) = self.versions {
            let highest = named.iter().map(|image| image.version.clone()).max();
            named.retain(|image| Some(&image.version) == highest.as_ref());
        }
        Ok(named)
    }

    fn is_full_name(&self, image: &ImageRecord) -> bool {
        image.name == self.text || format!("{}/{}/{}", image.namespace, image.key, image.version) == self.text
    }

    fn is_image(&self, image: &ImageRecord) -> bool {
        let name = match self.image.split_once('/') {
            Some((namespace, name)) if namespace == image.namespace => name,
            Some(_) => return false,
            None => &self.image,
        };
        name == image.key.image || name == image.key.to_string()
    }

    /// The error for a name that selects nothing. `namespace` is the manifest's, if there is one.
    pub fn not_found(&self, namespace: Option<&str>) -> Error {
        let of = namespace.map(|name| format!(" in `{name}`")).unwrap_or_default();
        let hint = match self.versions {
            Versions::Exact(None) => {
                format!(" Name its version, such as `{}@1.4.0`, or use --all-versions.", self.image)
            }
            _ => String::new(),
        };
        Error::preflight(format!("image `{}` not found{of}", self.text))
            .help(format!("`ami-bake images` lists the images.{hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Digest, ImageKey};

    fn image(
        id: &str,
        namespace: &str,
        image: &str,
        variant: Option<&str>,
        version: &str,
        tested: bool,
    ) -> ImageRecord {
        let key = ImageKey { image: image.to_owned(), variant: variant.map(str::to_owned) };
        ImageRecord {
            id: id.to_owned(),
            name: format!("named {id}"),
            region: None,
            account: None,
            namespace: namespace.to_owned(),
            key,
            version: version.parse().unwrap(),
            digest: Digest::from_text("sha256:0"),
            tested: tested.then(|| "2026-11-30T00:00:00Z".parse().unwrap()),
            created: None,
            available: true,
            architecture: None,
            parts: Vec::new(),
            tags: std::collections::BTreeMap::new(),
            size: None,
        }
    }

    fn all() -> Vec<ImageRecord> {
        vec![
            image("ami-1", "shop", "web", None, "1.0.0", true),
            image("ami-2", "shop", "web", None, "1.1.0", true),
            image("ami-3", "shop", "web", None, "2.0.0-pr.1", true),
            image("ami-4", "shop", "web", None, "3.0.0", false),
            image("ami-5", "shop", "web", Some("arm64"), "1.0.0", true),
            image("ami-6", "shop", "web-arm64", None, "9.0.0", true),
        ]
    }

    fn ids(name: &ImageName) -> Vec<String> {
        name.select(&all()).unwrap().into_iter().map(|image| image.id.clone()).collect()
    }

    #[test]
    fn names_select_what_they_say() {
        for (text, expected) in [
            ("ami-3", &["ami-3"][..]),
            ("shop/web/1.0.0", &["ami-1"]),
            ("named ami-4", &["ami-4"]),
            ("web@1.0.0", &["ami-1", "ami-5"]),
            ("shop/web@1.1.0", &["ami-2"]),
            ("blog/web@1.1.0", &[]),
            ("web@^1", &["ami-2"]),
            ("web", &["ami-2"]),
            ("web@^7", &[]),
            ("db", &[]),
        ] {
            assert_eq!(ids(&ImageName::parse(text).unwrap()), expected, "{text}");
        }
        assert!(ImageName::parse("web@one").is_err());
    }

    #[test]
    fn only_exact_names_can_be_deleted() {
        let exact = |text: &str, all: bool| ImageName::parse(text).unwrap().exact(all);
        assert_eq!(ids(&exact("web@1.1.0", false).unwrap()), ["ami-2"]);
        assert_eq!(ids(&exact("ami-4", false).unwrap()), ["ami-4"]);
        assert_eq!(ids(&exact("shop/web", true).unwrap()), ["ami-1", "ami-2", "ami-3", "ami-4", "ami-5"]);
        assert_eq!(ids(&exact("web", false).unwrap()), [""; 0], "no version is not the highest one");
        assert!(exact("web@^1", false).unwrap_err().message().contains("not an exact version"));
        assert!(exact("web@1.0.0", true).unwrap_err().message().contains("contradicts"));
    }

    #[test]
    fn a_name_never_selects_images_of_two_manifests() {
        let mut all = all();
        all.push(image("ami-7", "blog", "web", None, "1.0.0", true));
        for (text, all_versions) in [("web@1.0.0", false), ("web", true)] {
            let error = ImageName::parse(text).unwrap().exact(all_versions).unwrap().select(&all).unwrap_err();
            assert!(error.message().contains("is ambiguous: blog/web, shop/web"), "{error}");
        }
        let one = ImageName::parse("blog/web").unwrap().exact(true).unwrap();
        assert_eq!(one.select(&all).unwrap()[0].id, "ami-7");
    }
}
