//! Retries of calls that the SDK must not repeat by itself, or that are made too early.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::{Result, Run};
use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::config::retry::RetryConfig;

use super::failure::Failure;

/// Pauses before a throttled call is repeated; also the number of attempts.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];
/// Pauses before each look-up of what a call with a lost answer may have created: it may be invisible for some 5 s
/// (docs/dev/aws.md, "Stale reads").
const LOOKS: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_millis(1500), Duration::from_secs(2), Duration::from_secs(3)];

/// Time within which EC2 and IAM show a new resource everywhere.
const VISIBLE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(500);

/// For a call's `customize().config_override(…)`: disables retries, since the SDK would repeat the call blindly.
pub(crate) fn no_retries() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

/// Sends a create call, which takes no client token, until it is answered. After a lost answer `find` looks for what the call
/// may have created, and the call is repeated only if nothing is found. A throttled call created nothing. `doing`
/// names the call in messages: "copy the snapshot snap-1".
///
/// # Errors
/// The call's last failure.
pub(crate) async fn create_once<T, S, F>(
    run: &Run,
    doing: &str,
    send: impl Fn() -> S,
    find: impl Fn() -> F,
) -> Result<T, Box<Failure>>
where
    S: Future<Output = Result<T, Box<Failure>>>,
    F: Future<Output = Result<Option<T>>>,
{
    // Not the run's own sleep, which a cancel ends: what a lost answer created must be known before the clean-up.
    run.waiting(&format!("EC2 to take the request to {doing}"), created_once(run, send, find)).await
}

async fn created_once<T, S, F>(run: &Run, send: impl Fn() -> S, find: impl Fn() -> F) -> Result<T, Box<Failure>>
where
    S: Future<Output = Result<T, Box<Failure>>>,
    F: Future<Output = Result<Option<T>>>,
{
    let mut pauses = PAUSES.iter();
    loop {
        let failure = match send().await {
            Ok(made) => return Ok(made),
            Err(failure) if failure.unknown() || failure.throttled() => failure,
            Err(failure) => return Err(failure),
        };
        let Some(pause) = pauses.next() else { return Err(failure) };
        if !failure.unknown() {
            run.clock().sleep(*pause).await;
            continue;
        }
        for look in LOOKS {
            run.clock().sleep(look).await;
            match find().await {
                Ok(Some(made)) => return Ok(made),
                Ok(None) => {}
                // It is unknown whether the resource was created: another call could create a second one.
                Err(_) => return Err(failure),
            }
        }
    }
}

/// Repeats a call while `early` says that it was made too early, for at most a minute.
pub(crate) async fn until_visible<T, F>(
    run: &Run,
    early: impl Fn(&Failure) -> bool,
    mut ask: impl FnMut() -> F,
) -> Result<T, Box<Failure>>
where
    F: Future<Output = Result<T, Box<Failure>>>,
{
    let start = run.clock().elapsed();
    let answered = async {
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
    };
    run.waiting("AWS to find what was just created", answered).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ami_bake_core::event::Event;
    use ami_bake_testkit::clock::ManualClock;
    use ami_bake_testkit::runs;
    use aws_sdk_ec2::error::{ErrorMetadata, SdkError};
    use aws_sdk_ec2::operation::register_image::RegisterImageError;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn throttled() -> Box<Failure> {
        let meta = ErrorMetadata::builder().code("RequestLimitExceeded").message("Request limit exceeded.").build();
        let response = HttpResponse::new(503.try_into().unwrap(), SdkBody::empty());
        let error: SdkError<RegisterImageError, _> =
            SdkError::service_error(RegisterImageError::generic(meta), response);
        Box::new(Failure::new("RegisterImage", "us-east-1", &error))
    }

    /// Throttled calls are repeated, and the wait is reported once it is longer than 10 s.
    #[tokio::test]
    async fn a_long_wait_is_reported() {
        for (refusals, reported) in [(2, false), (4, true)] {
            let clock = Arc::new(ManualClock::default());
            let (run, mut events) = runs::with(clock.clone(), &[]);
            let calls = Arc::new(AtomicUsize::new(0));
            let made = tokio::spawn({
                let (run, calls) = (run.clone(), Arc::clone(&calls));
                async move {
                    let send = || async {
                        let call = calls.fetch_add(1, Ordering::Relaxed);
                        if call < refusals { Err(throttled()) } else { Ok("ami-1") }
                    };
                    create_once(&run, "register the image \"web\"", send, || async { Ok(None) }).await
                }
            });
            clock.run_until(Duration::from_millis(500), || made.is_finished()).await;
            assert_eq!(made.await.unwrap().ok(), Some("ami-1"));
            assert_eq!(calls.load(Ordering::Relaxed), refusals + 1);
            let mut said = Vec::new();
            while let Some(envelope) = events.try_recv() {
                if let Event::Progress { message } = envelope.event {
                    said.push(message);
                }
            }
            let waits = said.iter().any(|line| line.contains("EC2 to take the request to register the image \"web\""));
            assert_eq!(waits, reported, "{said:?}");
        }
    }
}
