//! SIGINT and SIGTERM: the first cancels the run, the second ends the program at once.

use ami_bake_core::Kind;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::report;
use crate::ui::Ui;

/// Listens for as long as the program runs. The first signal cancels `token`: everything that the run made is asked
/// to go, and nothing is waited for. The second writes the report as it is and exits with 130.
pub(crate) fn listen(token: CancellationToken, ui: Ui) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        ui.say("\ncancelled: taking away what was made (once more to leave at once)\n");
        token.cancel();
        next(&mut interrupt, &mut terminate).await;
        ui.say("\nleaving at once: `ami-bake sweep` takes away what is left\n");
        let code = Kind::Cancelled.exit_code();
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
