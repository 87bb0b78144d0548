//! Calls that answer page by page.

use std::future::Future;

/// All pages of a call. `ask` is given the mark of a page, none for the first, and answers what the page holds and the
/// mark of the next.
///
/// # Errors
/// The first failure of `ask`.
pub(crate) async fn pages<T, E, F>(mut ask: impl FnMut(Option<String>) -> F) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<(Vec<T>, Option<String>), E>>,
{
    let (mut all, mut mark) = (Vec::new(), None);
    loop {
        let (page, next) = ask(mark).await?;
        all.extend(page);
        // AWS writes "no more" as a missing mark or as an empty one.
        mark = next.filter(|mark| !mark.is_empty());
        if mark.is_none() {
            return Ok(all);
        }
    }
}
