//! Pollers for the results of Describe calls.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::poll::{PollAnswer, Poller};

use super::regional::Client;

/// Intervals of a poller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// Pause between two requests.
    pub(crate) interval: Duration,
    /// A shorter pause, and how long after the begin of a wait it applies.
    pub(crate) eager: Option<(Duration, Duration)>,
}

/// A poller that calls `ask` for the states of IDs. It makes no request until somebody waits.
pub(crate) fn poller<S, F>(client: &Arc<Client>, timing: Timing, ask: fn(Arc<Client>, Vec<String>) -> F) -> Poller<S>
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = PollAnswer<S>> + Send + 'static,
{
    let (clock, client) = (Arc::clone(client.clock()), Arc::clone(client));
    let ask = Box::new(move |ids| Box::pin(ask(Arc::clone(&client), ids)) as _);
    match timing.eager {
        Some(eager) => Poller::eager(clock, eager, timing.interval, ask),
        None => Poller::new(clock, timing.interval, ask),
    }
}
