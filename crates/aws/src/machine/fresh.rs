//! Calls that need something which was made a moment ago.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::Run;

use crate::error::Failure;

/// EC2 and IAM show what was just made to every part of themselves within this time.
const VISIBLE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(500);

/// Repeats a call as long as `early` says that it came too early, for a minute at most.
pub(super) async fn fresh<T, F>(
    run: &Run,
    early: impl Fn(&Failure) -> bool,
    mut ask: impl FnMut() -> F,
) -> Result<T, Box<Failure>>
where
    F: Future<Output = Result<T, Box<Failure>>>,
{
    let start = run.clock().elapsed();
    loop {
        match ask().await {
            Err(failure) if early(&failure) && run.clock().elapsed().saturating_sub(start) < VISIBLE => {
                if run.sleep(PAUSE).await.is_err() {
                    return Err(failure);
                }
            }
            answer => return answer,
        }
    }
}
