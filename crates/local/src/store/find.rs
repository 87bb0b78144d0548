//! Finds the image that a user names.

use std::collections::BTreeSet;

use ami_bake_core::{Error, Result, version};
use semver::Version;

use super::image::Image;

/// Finds an image: an id, `NAME/IMAGE/VERSION`, or `[NAME/]IMAGE[@RANGE]` for the highest tested version.
///
/// # Errors
/// When there is no such image, when the range is invalid, or when images of several manifests match.
pub(crate) fn find(images: &[Image], text: &str) -> Result<Image> {
    if let Some(image) = images.iter().find(|image| image.id == text) {
        return Ok(image.clone());
    }
    let tested = |image: &&Image| image.record().is_some_and(|record| record.tested.is_some());
    if let Some(image) = images.iter().filter(tested).find(|image| image.name == text || full_name(image) == text) {
        return Ok(image.clone());
    }
    let (name, range) = match text.split_once('@') {
        Some((name, range)) => (name, Some(version::range(range)?)),
        None => (text, None),
    };
    let (namespace, key) = match name.split_once('/') {
        Some((namespace, key)) => (Some(namespace), key),
        None => (None, name),
    };
    let candidates: Vec<(String, Version, &Image)> = images
        .iter()
        .filter(tested)
        .filter_map(|image| {
            let (own_namespace, own_key) = image.key()?;
            let version = image.version()?;
            let matches = own_key.to_string() == key
                && namespace.is_none_or(|namespace| namespace == own_namespace)
                && version::in_range(&version, range.as_ref());
            matches.then(|| (own_namespace.to_owned(), version, image))
        })
        .collect();
    let namespaces: BTreeSet<&str> = candidates.iter().map(|(namespace, ..)| namespace.as_str()).collect();
    if namespaces.len() > 1 {
        let names: Vec<String> = namespaces.iter().map(|namespace| format!("{namespace}/{key}")).collect();
        return Err(Error::usage(format!("`{text}` is ambiguous: {}", names.join(", ")))
            .help("Several manifests have an image with this name. Use NAME/IMAGE or the image's ID."));
    }
    let highest = candidates.into_iter().max_by(|one, other| one.1.cmp(&other.1));
    highest.map(|(.., image)| image.clone()).ok_or_else(|| {
        Error::preflight(format!("no tested image `{text}` in the local store"))
            .help("`ami-bake images --platform local` lists the images. Use an ID, NAME/IMAGE/VERSION or IMAGE@RANGE.")
    })
}

fn full_name(image: &Image) -> String {
    match (image.key(), image.version()) {
        (Some((namespace, key)), Some(version)) => format!("{namespace}/{key}/{version}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ami_bake_core::tags;

    use super::*;
    use crate::store::{Base, Store};

    fn image(namespace: &str, key: &str, version: &str) -> Image {
        let tags = [
            (tags::NAME, namespace),
            (tags::IMAGE, key),
            (tags::VERSION, version),
            (tags::DIGEST, "sha256:0"),
            (tags::TESTED, "2026-11-20T12:00:00Z"),
        ];
        let tags: BTreeMap<String, String> = tags.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let mut image = Store::new_image(format!("named {namespace} {version}"), Base::Layers, Vec::new(), tags);
        image.id = format!("img-{namespace}-{version}");
        image.candidate = false;
        image
    }

    #[test]
    fn an_image_is_found_by_id_name_and_range() {
        let mut images = vec![
            image("shop", "web", "1.2.0"),
            image("shop", "web", "1.10.0"),
            image("shop", "web", "2.0.0-pr.1.a"),
            image("blog", "db", "3.0.0"),
        ];
        let mut candidate = image("shop", "web", "9.0.0");
        candidate.candidate = true;
        images.push(candidate);
        let id = |text: &str| find(&images, text).map(|image| image.id);
        assert_eq!(id("img-shop-1.2.0").unwrap(), "img-shop-1.2.0");
        assert_eq!(id("shop/web/1.2.0").unwrap(), "img-shop-1.2.0");
        assert_eq!(id("named blog 3.0.0").unwrap(), "img-blog-3.0.0");
        assert_eq!(id("web").unwrap(), "img-shop-1.10.0", "neither a pre-release nor a candidate");
        assert_eq!(id("shop/web@~1.2").unwrap(), "img-shop-1.2.0");
        assert!(id("web@^4").unwrap_err().to_string().contains("web@^4"));
        assert!(id("web@x.y").unwrap_err().to_string().contains("version range"));
        images.push(image("blog", "web", "1.0.0"));
        let error = find(&images, "web").unwrap_err();
        assert!(error.to_string().contains("blog/web, shop/web"), "{error}");
    }
}
