//! Looks up the published images of a run, once for all its images.

use tokio::sync::OnceCell;

use crate::engine::options::BakeContext;
use crate::error::Result;
use crate::image::ImageRecord;
use crate::plan::ImageKey;
use crate::platform::ImageQuery;
use crate::run::Run;

/// The images of a run's namespace. A run of one image looks up that image alone; with several images one request
/// fetches the whole namespace, since forty requests at once take seconds and most of a token bucket.
#[derive(Debug, Default)]
pub(super) struct Published {
    all: Option<OnceCell<Vec<ImageRecord>>>,
}

impl Published {
    /// A look-up for a run of `count` images.
    pub(super) fn for_images(count: usize) -> Self {
        Self { all: (count > 1).then(OnceCell::new) }
    }

    /// The published images of a variant, candidates included.
    ///
    /// # Errors
    /// Errors of the platform; the next call tries again.
    pub(super) async fn of(&self, run: &Run, context: &BakeContext, key: &ImageKey) -> Result<Vec<ImageRecord>> {
        let query = |key| ImageQuery { namespace: Some(context.recipe.namespace().to_owned()), key, owner: None };
        let Some(all) = &self.all else {
            return context.platform.images(run, &query(Some(key.clone()))).await;
        };
        let all = all.get_or_try_init(|| async { context.platform.images(run, &query(None)).await }).await?;
        Ok(all.iter().filter(|image| image.key == *key).cloned().collect())
    }
}
