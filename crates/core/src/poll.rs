//! A poller for everything that a run waits for: one request covers all IDs of all bakes.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::duration::human;
use crate::error::{Error, Result};
use crate::run::Run;

/// The answer to one poll: the state of each ID that was found.
pub type PollAnswer<S> = Result<HashMap<String, S>>;

/// Requests the state of all these IDs at once.
pub type PollQuery<S> = Box<dyn Fn(Vec<String>) -> Pin<Box<dyn Future<Output = PollAnswer<S>> + Send>> + Send + Sync>;

/// Polls one kind of resource for all waiters.
pub struct Poller<S> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    clock: Arc<dyn Clock>,
    interval: Duration,
    eager: Option<Eager>,
    ask: PollQuery<S>,
    state: Mutex<State<S>>,
}

/// A shorter pause while somebody has only begun to wait.
struct Eager {
    interval: Duration,
    during: Duration,
}

struct State<S> {
    waiters: HashMap<u64, Waiter<S>>,
    next: u64,
    polling: bool,
}

struct Waiter<S> {
    id: String,
    since: Duration,
    sender: mpsc::UnboundedSender<Result<Option<S>>>,
}

/// Maximum pause after failed requests.
const SLOWEST: Duration = Duration::from_secs(15);

impl<S: Clone + Send + Sync + 'static> Poller<S> {
    /// A poller that sends a request every `interval` while somebody waits.
    pub fn new(clock: Arc<dyn Clock>, interval: Duration, ask: PollQuery<S>) -> Self {
        Self::with(clock, interval, None, ask)
    }

    /// A poller for short waits: `eager` is `(pause, during)`, the pause while somebody has waited no longer than
    /// `during`.
    pub fn eager(clock: Arc<dyn Clock>, eager: (Duration, Duration), interval: Duration, ask: PollQuery<S>) -> Self {
        Self::with(clock, interval, Some(Eager { interval: eager.0, during: eager.1 }), ask)
    }

    fn with(clock: Arc<dyn Clock>, interval: Duration, eager: Option<Eager>, ask: PollQuery<S>) -> Self {
        let state = Mutex::new(State { waiters: HashMap::new(), next: 0, polling: false });
        Self { inner: Arc::new(Inner { clock, interval, eager, ask, state }) }
    }

    /// Waits until `decide` returns a result for the state of `id`; `None` means that the platform does not know it (yet).
    /// A long wait is reported: `what` fits after "Waiting for", as in [`Run::waiting`].
    ///
    /// # Errors
    /// The error that `decide` returns; the last failed request when the time limit is reached;
    /// [`crate::ErrorKind::Cancelled`].
    pub async fn wait<T>(
        &self,
        run: &Run,
        id: &str,
        what: &str,
        limit: Duration,
        decide: impl FnMut(Option<S>) -> Option<Result<T>>,
    ) -> Result<T> {
        run.waiting(what, self.watch(run, id, what, limit, decide)).await
    }

    /// The same without a report, for callers that report by themselves, or that watch while something else is waited for.
    ///
    /// # Errors
    /// Those of [`Poller::wait`].
    pub async fn watch<T>(
        &self,
        run: &Run,
        id: &str,
        what: &str,
        limit: Duration,
        mut decide: impl FnMut(Option<S>) -> Option<Result<T>>,
    ) -> Result<T> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let registered = self.register(id, sender);
        let clock = Arc::clone(&self.inner.clock);
        let mut failure = None;
        let watch = async {
            while let Some(answer) = receiver.recv().await {
                match answer {
                    Ok(state) => {
                        failure = None;
                        if let Some(verdict) = decide(state) {
                            return verdict;
                        }
                    }
                    Err(error) if error.kind() == crate::ErrorKind::Preflight => return Err(error),
                    Err(error) => failure = Some(error),
                }
            }
            Err(Error::internal(format!("the poller that watches {id} ended")))
        };
        let verdict = tokio::select! {
            biased;
            () = run.cancel.cancelled() => Err(Error::cancelled()),
            verdict = watch => verdict,
            () = clock.sleep(limit) => Err(Error::build(format!(
                "gave up after {} of waiting for {what}", human(limit)
            ))),
        };
        drop(registered);
        match (verdict, failure) {
            (Err(timeout), Some(last)) if timeout.kind() == crate::ErrorKind::Build => Err(timeout.because(last)),
            (verdict, _) => verdict,
        }
    }

    fn register(&self, id: &str, sender: mpsc::UnboundedSender<Result<Option<S>>>) -> Registered<S> {
        let since = self.inner.clock.elapsed();
        let mut state = self.inner.lock();
        let number = state.next;
        state.next += 1;
        state.waiters.insert(number, Waiter { id: id.to_owned(), since, sender });
        if !state.polling {
            state.polling = true;
            tokio::spawn(Arc::clone(&self.inner).poll());
        }
        Registered { inner: Arc::clone(&self.inner), number }
    }
}

/// Removes the waiter when dropped, however its wait ends.
struct Registered<S> {
    inner: Arc<Inner<S>>,
    number: u64,
}

impl<S> Drop for Registered<S> {
    fn drop(&mut self) {
        self.inner.lock().waiters.remove(&self.number);
    }
}

impl<S> Inner<S> {
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pause after an answer.
    fn pause(&self) -> Duration {
        let Some(eager) = &self.eager else { return self.interval };
        let now = self.clock.elapsed();
        let young = self.lock().waiters.values().any(|waiter| now.saturating_sub(waiter.since) < eager.during);
        if young { eager.interval } else { self.interval }
    }
}

impl<S: Clone + Send + Sync + 'static> Inner<S> {
    /// Polls while somebody waits, then ends; the next waiter starts it again.
    async fn poll(self: Arc<Self>) {
        let mut pause = self.interval;
        loop {
            let ids: BTreeSet<String> = {
                let mut state = self.lock();
                if state.waiters.is_empty() {
                    state.polling = false;
                    return;
                }
                state.waiters.values().map(|waiter| waiter.id.clone()).collect()
            };
            let answer = (self.ask)(ids.iter().cloned().collect()).await;
            pause = if answer.is_ok() { self.pause() } else { (pause * 2).max(self.interval).min(SLOWEST) };
            for waiter in self.lock().waiters.values() {
                // Waiters that registered during the request were not part of it: no answer for them does not mean "not
                // found".
                if !ids.contains(&waiter.id) {
                    continue;
                }
                let state = match &answer {
                    Ok(found) => Ok(found.get(&waiter.id).cloned()),
                    Err(error) => Err(error.clone()),
                };
                let _ = waiter.sender.send(state);
            }
            self.clock.sleep(pause).await;
        }
    }
}
