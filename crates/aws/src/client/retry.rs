//! Retries of calls that the SDK must not repeat by itself, or that are made too early.

use std::future::Future;
use std::time::Duration;

use ami_bake_core::{Result, Run};
use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::config::retry::RetryConfig;

use super::failure::Failure;
use super::regional::Client;

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
/// may have created, and the call is repeated only if nothing is found. A throttled call created nothing.
///
/// # Errors
/// The call's last failure.
pub(crate) async fn create_once<T, S, F>(
    client: &Client,
    send: impl Fn() -> S,
    find: impl Fn() -> F,
) -> Result<T, Box<Failure>>
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
            client.clock().sleep(*pause).await;
            continue;
        }
        for look in LOOKS {
            client.clock().sleep(look).await;
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
