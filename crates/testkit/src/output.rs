//! Output sinks for tests that act once a command has begun.

use ami_bake_core::output::{Collect, OutputSink, Stream};
use tokio::sync::oneshot;

/// Collects a command's output, and says when the first of it has come.
#[derive(Debug)]
pub struct FirstOutput {
    /// All output.
    pub output: Collect,
    begun: Option<oneshot::Sender<()>>,
}

impl FirstOutput {
    /// The sink, and what is ready as soon as the command has printed something.
    pub fn new() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self { output: Collect::default(), begun: Some(sender) }, receiver)
    }
}

impl OutputSink for FirstOutput {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.output.write(stream, bytes);
        if let Some(begun) = self.begun.take() {
            // Nobody may be waiting for it any more.
            let _ = begun.send(());
        }
    }
}
