//! Reads paginated answers.

use std::future::Future;

/// The items of all pages. `ask` gets the token of a page (`None` for the first), and returns its items and the token
/// of the next page.
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
        // AWS writes "no more pages" as a missing or an empty token.
        mark = next.filter(|mark| !mark.is_empty());
        if mark.is_none() {
            return Ok(all);
        }
    }
}
