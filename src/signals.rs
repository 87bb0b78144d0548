//! SIGINT and SIGTERM: the first cancels the run, the second ends the program at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ami_bake_core::ErrorKind;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::report;
use crate::ui::Ui;

/// Runs that have begun.
static RUNS: AtomicUsize = AtomicUsize::new(0);
/// A signal came.
static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Hears signals from now on, before any run does. To the first process of a container, which an action is, the kernel
/// gives no signal that it does not listen for: a cancel would be lost, and the bake begin all the same. Before a run the
/// program ends at once; the first run after that is cancelled as it begins.
#[cfg(feature = "github")]
pub(crate) fn guard() {
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            next(&mut interrupt, &mut terminate).await;
            CANCELLED.store(true, Ordering::SeqCst);
            if RUNS.load(Ordering::SeqCst) == 0 {
                std::process::exit(i32::from(ErrorKind::Cancelled.exit_code()));
            }
        });
    });
}

/// Listens for as long as the program runs. The first signal cancels `token`: everything that the run made is asked
/// to go, and nothing is waited for. The second writes the report as it is and exits with 130.
pub(crate) fn listen(token: CancellationToken, ui: Ui) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    RUNS.fetch_add(1, Ordering::SeqCst);
    if CANCELLED.load(Ordering::SeqCst) {
        token.cancel();
    }
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        ui.say("\ncancelled: taking away what was made (once more to leave at once)\n");
        token.cancel();
        next(&mut interrupt, &mut terminate).await;
        ui.say("\nleaving at once: `ami-bake sweep` takes away what is left\n");
        let code = ErrorKind::Cancelled.exit_code();
        report::abort(code);
        std::process::exit(i32::from(code));
    });
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
