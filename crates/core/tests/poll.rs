//! The poller on a clock that is moved by hand.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::poll::{PollQuery, Poller};
use ami_bake_core::{Error, ErrorKind};
use ami_bake_testkit::clock::ManualClock;
use ami_bake_testkit::runs;

const SECOND: Duration = Duration::from_secs(1);

/// What the platform was asked, and when.
type Asked = Arc<Mutex<Vec<(u64, Vec<String>)>>>;

/// A platform on which everything is `done` at its own second.
fn ask(clock: &Arc<ManualClock>, asked: &Asked, done_at: u64) -> PollQuery<bool> {
    let (clock, asked) = (Arc::clone(clock), Arc::clone(asked));
    Box::new(move |ids| {
        let now = clock.elapsed().as_secs();
        asked.lock().unwrap().push((now, ids.clone()));
        Box::pin(async move { Ok(ids.into_iter().map(|id| (id, now >= done_at)).collect()) })
    })
}

fn done(state: Option<bool>) -> Option<ami_bake_core::Result<()>> {
    state.filter(|done| *done).map(|_| Ok(()))
}

#[tokio::test]
async fn all_waiters_share_one_question() {
    let clock = Arc::new(ManualClock::default());
    let asked = Asked::default();
    let poller = Poller::new(clock.clone(), SECOND, ask(&clock, &asked, 5));
    let (run, _events) = runs::with(clock.clone(), &[]);
    let limit = Duration::from_mins(1);
    let waits = futures::future::join(
        poller.wait(&run, "a", "a to be done", limit, done),
        poller.wait(&run, "b", "b to be done", limit, done),
    );
    tokio::pin!(waits);
    let finished = std::sync::atomic::AtomicBool::new(false);
    let (result, ()) = futures::future::join(
        async {
            let result = waits.as_mut().await;
            finished.store(true, std::sync::atomic::Ordering::Relaxed);
            result
        },
        clock.run_until(SECOND, || finished.load(std::sync::atomic::Ordering::Relaxed)),
    )
    .await;
    result.0.unwrap();
    result.1.unwrap();
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|(_, ids)| ids == &["a", "b"]), "{asked:?}");
    assert!((5..=7).contains(&asked.len()), "once a second, {asked:?}");
}

#[tokio::test]
async fn an_eager_poller_asks_more_often_at_first() {
    let clock = Arc::new(ManualClock::default());
    let asked = Asked::default();
    let eager = (SECOND, SECOND * 4);
    let poller = Poller::eager(clock.clone(), eager, SECOND * 5, ask(&clock, &asked, 14));
    let (run, _events) = runs::with(clock.clone(), &[]);
    let finished = std::sync::atomic::AtomicBool::new(false);
    let (result, ()) = futures::future::join(
        async {
            let result = poller.wait(&run, "a", "a to be done", Duration::from_mins(1), done).await;
            finished.store(true, std::sync::atomic::Ordering::Relaxed);
            result
        },
        clock.run_until(SECOND, || finished.load(std::sync::atomic::Ordering::Relaxed)),
    )
    .await;
    result.unwrap();
    let times: Vec<u64> = asked.lock().unwrap().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 1, 2, 3, 4, 9, 14]);
}

#[tokio::test]
async fn a_wait_ends_with_its_limit_and_says_the_last_failure() {
    let clock = Arc::new(ManualClock::default());
    let poller: Poller<bool> = Poller::new(
        clock.clone(),
        SECOND,
        Box::new(|_| Box::pin(async { Err(Error::build("describe the instances: throttled")) })),
    );
    let (run, _events) = runs::with(clock.clone(), &[]);
    let finished = std::sync::atomic::AtomicBool::new(false);
    let (result, ()) = futures::future::join(
        async {
            let result = poller.wait(&run, "i-1", "i-1 to be done", Duration::from_secs(30), done).await;
            finished.store(true, std::sync::atomic::Ordering::Relaxed);
            result
        },
        clock.run_until(SECOND, || finished.load(std::sync::atomic::Ordering::Relaxed)),
    )
    .await;
    let error = result.unwrap_err();
    assert!(error.to_string().contains("gave up after 30s of waiting for i-1 to be done"), "{error}");
    assert_eq!(error.causes(), ["describe the instances: throttled"]);
}

#[tokio::test]
async fn a_refusal_and_a_cancel_end_the_wait_at_once() {
    let clock = Arc::new(ManualClock::default());
    let poller: Poller<bool> = Poller::new(
        clock.clone(),
        SECOND,
        Box::new(|_| Box::pin(async { Err(Error::preflight("ec2:DescribeInstances is not allowed")) })),
    );
    let (run, _events) = runs::with(clock.clone(), &[]);
    let error = poller.wait(&run, "i-1", "i-1 to be done", SECOND * 60, done).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Preflight);

    let poller: Poller<bool> = Poller::new(clock, SECOND, Box::new(|_| Box::pin(async { Ok(HashMap::new()) })));
    run.cancel.cancel();
    let error = poller.wait(&run, "i-1", "i-1 to be done", SECOND * 60, done).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn a_wait_of_more_than_ten_seconds_says_what_it_is_for() {
    for (done_at, expected) in [(9, 0), (30, 1)] {
        let clock = Arc::new(ManualClock::default());
        let poller = Poller::new(clock.clone(), SECOND, ask(&clock, &Asked::default(), done_at));
        let (run, mut events) = runs::with(clock.clone(), &[]);
        let finished = std::sync::atomic::AtomicBool::new(false);
        let (result, ()) = futures::future::join(
            async {
                let result = poller.wait(&run, "i-1", "i-1 to run", SECOND * 60, done).await;
                finished.store(true, std::sync::atomic::Ordering::Relaxed);
                result
            },
            clock.run_until(SECOND, || finished.load(std::sync::atomic::Ordering::Relaxed)),
        )
        .await;
        result.unwrap();
        let mut said = Vec::new();
        while let Some(envelope) = events.try_recv() {
            if let ami_bake_core::event::Event::Progress { message } = envelope.event {
                said.push(message);
            }
        }
        assert_eq!(said, vec!["Waiting for i-1 to run"; expected], "done after {done_at} s");
    }
}
