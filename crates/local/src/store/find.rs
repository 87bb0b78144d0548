//! Finds the image that a user names.

use std::collections::BTreeSet;

use ami_bake_core::image::ImageRecord;
use ami_bake_core::image_name::ImageName;
use ami_bake_core::{Error, Result};

use super::image::Image;

/// Finds an image: an id, `NAME/IMAGE/VERSION`, or `[NAME/]IMAGE[@RANGE]` for the highest tested version.
///
/// # Errors
/// When there is no such image, when the range is invalid, or when several images match.
pub fn find(images: &[Image], text: &str) -> Result<Image> {
    if let Some(image) = images.iter().find(|image| image.id == text) {
        return Ok(image.clone());
    }
    let name = ImageName::parse(text)?;
    let records: Vec<ImageRecord> =
        images.iter().filter_map(Image::record).filter(|one| one.tested.is_some()).collect();
    let chosen = name.select(&records)?;
    let variants: BTreeSet<String> = chosen.iter().map(|image| image.key.to_string()).collect();
    if variants.len() > 1 {
        let names: Vec<String> = variants.into_iter().collect();
        return Err(
            Error::usage(format!("`{text}` is ambiguous: {}", names.join(", "))).help("Name one of the variants.")
        );
    }
    let found = chosen.last().and_then(|chosen| images.iter().find(|image| image.id == chosen.id));
    found.cloned().ok_or_else(|| {
        Error::preflight(format!("no tested image `{text}` in the local store"))
            .help("`ami-bake images` with the platform lists the images. Use an ID, NAME/IMAGE/VERSION or IMAGE@RANGE.")
    })
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
