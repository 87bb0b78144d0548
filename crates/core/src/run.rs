//! State that all parts of a run share: ID, clock, cancellation, ledger, masker and events.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::{EVENT_VERSION, Envelope, Event, Events};
use crate::ledger::{Ledger, Ticket};
use crate::location::SourceLocation;
use crate::mask::Masker;
use crate::output::LogFolder;
use crate::plan::ImageKey;

/// How long a wait needs no line in the log.
pub const QUIET: Duration = Duration::from_secs(10);

/// What every part of a run shares. Cheap to clone; a clone may be bound to one image.
#[derive(Clone)]
pub struct Run {
    shared: Arc<RunParts>,
    image: Option<ImageKey>,
    role: Option<Arc<str>>,
    /// Ends every wait of the run when it is cancelled.
    pub cancel: CancellationToken,
}

/// The parts of a [`Run`] that its caller creates.
pub struct RunParts {
    /// ID of the run: sortable and random, so that a re-run of the same workflow has another one.
    pub id: String,
    /// Tags that describe the origin of the run: repository, commit, URL of the workflow run.
    pub origin: BTreeMap<String, String>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The ledger.
    pub ledger: Ledger,
    /// The masker.
    pub masker: Arc<Masker>,
    /// Values of the declared secrets, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// Receiver of events.
    pub events: Events,
    /// Folder for the complete output of steps, if it is kept.
    pub logs: Option<LogFolder>,
}

impl Run {
    /// A run made of these parts.
    pub fn new(shared: RunParts, cancel: CancellationToken) -> Self {
        Self { shared: Arc::new(shared), image: None, role: None, cancel }
    }

    /// A handle bound to one image.
    #[must_use]
    pub fn for_image(&self, key: &ImageKey) -> Self {
        Self { image: Some(key.clone()), ..self.clone() }
    }

    /// A handle bound to no image: for resources that must outlive the failure of a single image.
    #[must_use]
    pub fn for_all(&self) -> Self {
        Self { image: None, ..self.clone() }
    }

    /// A handle for another account, with this role: resources created there are recorded with the role.
    #[must_use]
    pub fn under(&self, role: &str) -> Self {
        Self { role: Some(Arc::from(role)), ..self.clone() }
    }

    /// A handle with another cancellation token: the clean-up after a cancel must not be cancelled itself.
    #[must_use]
    pub fn with_cancel(&self, cancel: CancellationToken) -> Self {
        Self { cancel, ..self.clone() }
    }

    /// ID of the run.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Tags that describe the origin of the run.
    pub fn origin(&self) -> &BTreeMap<String, String> {
        &self.shared.origin
    }

    /// The image that this handle is bound to.
    pub fn image(&self) -> Option<&ImageKey> {
        self.image.as_ref()
    }

    /// The clock.
    pub fn clock(&self) -> &dyn Clock {
        self.shared.clock.as_ref()
    }

    /// The clock as a shared pointer.
    pub fn clock_handle(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.clock)
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// The masker.
    pub fn masker(&self) -> &Arc<Masker> {
        &self.shared.masker
    }

    /// The value of a declared secret.
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        self.shared.secrets.get(name)
    }

    /// All declared secrets.
    pub fn secrets(&self) -> &BTreeMap<String, SecretString> {
        &self.shared.secrets
    }

    /// Records in the ledger that a resource is about to be created for this handle's image, or for the whole run. Call
    /// it before the request is sent.
    ///
    /// # Errors
    /// When the line can't be written: then nothing may be created.
    pub fn intend(&self, platform: &str, kind: &str, region: Option<&str>, find_by: &str) -> Result<Ticket> {
        self.shared.ledger.intend_for(self.image.as_ref(), self.role.as_deref(), platform, kind, region, find_by)
    }

    /// Emits an event for this handle's image, with declared secrets masked.
    pub fn emit(&self, mut event: Event) {
        event.rewrite(&|text| *text = self.shared.masker.mask(text));
        self.shared.events.send(self.envelope(event));
    }

    /// Emits a line of a step's output, which is masked already. False when the queue has no room for it.
    pub(crate) fn offer(&self, event: Event) -> bool {
        self.shared.events.offer(self.envelope(event))
    }

    /// Receiver of events.
    pub(crate) fn events(&self) -> &Events {
        &self.shared.events
    }

    /// Folder for the complete output of steps, if it is kept.
    pub(crate) fn logs(&self) -> Option<&LogFolder> {
        self.shared.logs.as_ref()
    }

    fn envelope(&self, event: Event) -> Envelope {
        Envelope {
            v: EVENT_VERSION,
            at: self.shared.clock.now(),
            elapsed: self.shared.clock.elapsed(),
            image: self.image.clone(),
            event,
        }
    }

    /// Emits a progress message, a short sentence.
    pub fn progress(&self, message: impl Into<String>) {
        self.emit(Event::Progress { message: message.into() });
    }

    /// Emits a warning.
    pub fn warn(&self, message: impl Into<String>, help: Option<String>) {
        self.emit(Event::Warning { message: message.into(), help, place: None });
    }

    /// Emits a warning about a line of a file that a step names.
    pub fn warn_at(&self, place: SourceLocation, message: impl Into<String>) {
        self.emit(Event::Warning { message: message.into(), help: None, place: Some(place) });
    }

    /// Waits, unless the run is cancelled meanwhile.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`] as soon as the run is cancelled.
    pub async fn sleep(&self, duration: Duration) -> Result<()> {
        self.until_cancelled(self.shared.clock.sleep(duration)).await
    }

    /// Runs a future, and reports what it waits for when that takes longer than [`QUIET`]. `what` fits after "Waiting
    /// for": "the image ami-1 to become available".
    pub async fn waiting<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let future = std::pin::pin!(future);
        let quiet = std::pin::pin!(self.shared.clock.sleep(QUIET));
        match futures::future::select(future, quiet).await {
            futures::future::Either::Left((value, _)) => value,
            futures::future::Either::Right(((), future)) => {
                self.progress(format!("Waiting for {what}"));
                future.await
            }
        }
    }

    /// Runs a future to its end unless the run is cancelled meanwhile; the future is dropped then, so it must not be
    /// a call that creates something.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`] as soon as the run is cancelled.
    pub async fn until_cancelled<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            value = future => Ok(value),
        }
    }

    /// Fails if the run is already cancelled.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
}
