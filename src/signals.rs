//! SIGINT and SIGTERM during a run: the first cancels it, the second ends the program at once.

use std::sync::Arc;

use ami_bake_core::ErrorKind;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use crate::report::Snapshot;

/// Listens for as long as the program runs. The first signal cancels `token`: everything that the run created is
/// deleted, but nothing is waited for. The second writes the report as it is and exits with 130.
pub(crate) fn listen(token: CancellationToken, host: Arc<dyn Host>, report: Snapshot) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    if host.run_begins() {
        token.cancel();
    }
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        host.say("\nCancelling, cleaning up… (Ctrl-C again to quit now)\n");
        token.cancel();
        next(&mut interrupt, &mut terminate).await;
        host.say("\nQuitting now. Run `ami-bake sweep` to delete what is left.\n");
        let code = ErrorKind::Cancelled.exit_code();
        report.write(code);
        std::process::exit(i32::from(code));
    });
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
