//! What is published of the images of a run, asked for once.

use tokio::sync::OnceCell;

use crate::engine::options::BakeContext;
use crate::error::Result;
use crate::image::ImageRecord;
use crate::plan::ImageKey;
use crate::platform::ImageQuery;
use crate::run::Run;

/// The images of a run's namespace. One image asks for its own; several look at the whole namespace together, since
/// forty questions at once cost seconds and most of a token bucket.
#[derive(Debug, Default)]
pub(super) struct Published {
    all: Option<OnceCell<Vec<ImageRecord>>>,
}

impl Published {
    /// For a run of this number of images.
    pub(super) fn for_images(count: usize) -> Self {
        Self { all: (count > 1).then(OnceCell::new) }
    }

    /// The published images of a variant, candidates included.
    ///
    /// # Errors
    /// The platform's; the next one that asks tries again.
    pub(super) async fn of(&self, run: &Run, context: &BakeContext, key: &ImageKey) -> Result<Vec<ImageRecord>> {
        let query = |key| ImageQuery { namespace: Some(context.recipe.namespace().to_owned()), key, owner: None };
        let Some(all) = &self.all else {
            return context.platform.images(run, &query(Some(key.clone()))).await;
        };
        let all = all.get_or_try_init(|| async { context.platform.images(run, &query(None)).await }).await?;
        Ok(all.iter().filter(|image| image.key == *key).cloned().collect())
    }
}
