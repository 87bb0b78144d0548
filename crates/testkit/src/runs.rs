//! Runs for tests: a ledger in memory, a clock of choice, and a receiver of their events.

use std::collections::BTreeMap;
use std::sync::Arc;

use ami_bake_core::Run;
use ami_bake_core::clock::{Clock, SystemClock};
use ami_bake_core::event::{EventReceiver, Events};
use ami_bake_core::ledger::Ledger;
use ami_bake_core::mask::Masker;
use ami_bake_core::run::RunParts;
use ami_bake_core::tags;
use secrecy::SecretString;

use tokio_util::sync::CancellationToken;

/// A run on the system clock, and its events.
pub fn run() -> (Run, EventReceiver) {
    with(Arc::new(SystemClock::default()), &[])
}

/// A run on `clock` with these secrets, which the masker knows, and its events.
pub fn with(clock: Arc<dyn Clock>, secrets: &[(&str, &str)]) -> (Run, EventReceiver) {
    let (events, receiver) = Events::channel();
    let masker = Masker::default();
    for (_, value) in secrets {
        masker.add(value);
    }
    let id = format!("test-{}", uuid::Uuid::new_v4().simple());
    let shared = RunParts {
        origin: BTreeMap::from([(tags::REPOSITORY.to_owned(), "shop/images".to_owned())]),
        clock,
        ledger: Ledger::in_memory(&id),
        masker: Arc::new(masker),
        secrets: secrets.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))).collect(),
        events,
        logs: None,
        id,
    };
    (Run::new(shared, CancellationToken::new()), receiver)
}
