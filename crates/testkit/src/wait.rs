//! Waits for a state instead of a time, so that a slow machine only makes a test slower.

use std::time::{Duration, Instant};

/// Longest wait, reached only by states that never come; shorter than nextest's limit.
pub(crate) const LIMIT: Duration = Duration::from_mins(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until `check` succeeds, and returns its value.
///
/// # Panics
/// After ten minutes, with the last error of `check`.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "for tests that are not async: what they wait for is another process")]
pub fn until_ok<T>(mut check: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match check() {
            Ok(found) => return found,
            Err(complaint) => assert!(begun.elapsed() < LIMIT, "gave up waiting: {complaint}"),
        }
        std::thread::sleep(PAUSE);
    }
}

/// Waits until `so` is true; `complaint` is the panic message if it never is.
///
/// # Panics
/// As [`until_ok`].
#[track_caller]
pub fn until_true(complaint: &str, mut so: impl FnMut() -> bool) {
    until_ok(|| if so() { Ok(()) } else { Err(complaint.to_owned()) });
}

/// [`until_true`] for async tests; `complaint` may be a text or a closure that returns one.
///
/// # Panics
/// As [`until_ok`].
pub async fn eventually(complaint: impl Complaint, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < LIMIT, "gave up waiting: {}", complaint.text());
        tokio::time::sleep(PAUSE).await;
    }
}

/// The message of a wait that ends without success.
pub trait Complaint {
    /// The message as text.
    fn text(&self) -> String;
}

impl Complaint for &str {
    fn text(&self) -> String {
        (*self).to_owned()
    }
}

impl<F: Fn() -> String> Complaint for F {
    fn text(&self) -> String {
        self()
    }
}

/// The result of `future`, which must end within the limit.
///
/// # Panics
/// As [`until_ok`].
pub async fn within_limit<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(result) = tokio::time::timeout(LIMIT, future).await else { panic!("gave up waiting: {what}") };
    result
}
