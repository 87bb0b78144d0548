//! Prints panics.

use std::backtrace::{Backtrace, BacktraceStatus};

use super::clean::Cleaner;
use super::writer::Out;

/// Prints panics like all other text, cleaned: their message may quote anything. As usual, `RUST_BACKTRACE` adds a
/// backtrace.
pub(crate) fn catch_panics(cleaner: Cleaner) {
    let err = Out::stderr(cleaner, false);
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        let location = panic.location().map(|location| format!(" at {location}")).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        err.text(&format!("internal error: thread {name} panicked{location}:\n{message}\n"));
        let calls = Backtrace::capture();
        if calls.status() == BacktraceStatus::Captured {
            err.text(&format!("{calls}\n"));
        }
    }));
}
