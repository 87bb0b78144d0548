//! Handles signals that arrive before a run listens for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ami_bake_core::ErrorKind;

use crate::signals::Cancels;

/// Listens for signals that cancel, from the start of the process. An action is the first process of its container, to
/// which the kernel delivers only signals that it listens for: without this, a job that is cancelled early would still
/// bake.
#[derive(Debug, Default)]
pub(super) struct EarlySignals {
    runs: AtomicUsize,
    cancelled: AtomicBool,
}

impl EarlySignals {
    /// Starts to listen, on a thread of its own. Before the first run a signal ends the program at once.
    pub(super) fn listen() -> Arc<Self> {
        let signals = Arc::new(Self::default());
        let shared = Arc::clone(&signals);
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                let Ok(mut cancels) = Cancels::listen() else { return };
                cancels.first().await;
                shared.cancelled.store(true, Ordering::SeqCst);
                if shared.runs.load(Ordering::SeqCst) == 0 {
                    std::process::exit(i32::from(ErrorKind::Cancelled.exit_code()));
                }
            });
        });
        signals
    }

    /// Called when a run begins. True when a signal has arrived before.
    pub(super) fn run_begins(&self) -> bool {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.cancelled.load(Ordering::SeqCst)
    }
}
