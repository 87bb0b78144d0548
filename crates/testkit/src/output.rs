//! Output sinks for tests that act once a command has printed something.

use ami_bake_core::output::{Collect, OutputSink, Stream};
use tokio::sync::oneshot;

/// Collects a command's output, and signals when the first of it has arrived.
#[derive(Debug)]
pub struct FirstOutput {
    /// All output so far.
    pub output: Collect,
    begun: Option<oneshot::Sender<()>>,
}

impl FirstOutput {
    /// The sink, and a receiver that is ready as soon as the command has printed something.
    pub fn new() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self { output: Collect::default(), begun: Some(sender) }, receiver)
    }
}

impl OutputSink for FirstOutput {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.output.write(stream, bytes);
        if let Some(begun) = self.begun.take() {
            // The receiver may have been dropped.
            let _ = begun.send(());
        }
    }
}
