//! Waiting for a state, never for a time: a slow machine only makes a test slower.

use std::time::{Duration, Instant};

/// The longest wait. Nothing takes that long but what never comes; nextest's own limit is above it.
const LIMIT: Duration = Duration::from_mins(4);
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until `check` is content.
///
/// # Panics
/// After four minutes, with what `check` complains about.
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

/// Waits until `so` is true; `complaint` says what it means when it never is.
///
/// # Panics
/// As [`until_ok`].
#[track_caller]
pub fn until_true(complaint: &str, mut so: impl FnMut() -> bool) {
    until_ok(|| if so() { Ok(()) } else { Err(complaint.to_owned()) });
}

/// [`until_true`] for async tests; `complaint` may be a text or a closure that makes one.
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

/// What a wait says that ends without success.
pub trait Complaint {
    /// It as text.
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

/// The result of `future`, which must not take longer than the limit.
///
/// # Panics
/// As [`until_ok`].
pub async fn within_limit<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(result) = tokio::time::timeout(LIMIT, future).await else { panic!("gave up waiting: {what}") };
    result
}
