//! Caches descriptions of images, so that a launch or a capture need not fetch them again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ec2::types::Image;

use crate::client::KeyedOnceCell;

/// Descriptions of images.
#[derive(Default)]
pub(crate) struct DescriptionCache {
    by_id: Mutex<HashMap<String, Arc<Image>>>,
    /// Results of look-ups by name or parameter: many images of a manifest have the same source.
    pub(super) by_query: KeyedOnceCell<String, Image>,
}

impl DescriptionCache {
    /// Caches a description.
    pub(crate) fn keep(&self, image: Image) -> Arc<Image> {
        let image = Arc::new(image);
        let id = image.image_id().unwrap_or_default().to_owned();
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&image));
        image
    }

    /// Any cached description.
    pub(crate) fn any(&self) -> Option<Arc<Image>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).values().next().cloned()
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Image>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}
