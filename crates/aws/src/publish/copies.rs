//! Snapshots on their way into other regions and accounts, begun while the image is still being tested.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ami_bake_core::{Error, Result};

/// What was begun: by place and source snapshot, the copy's id there or why there is none.
#[derive(Default)]
pub(crate) struct Copies(Mutex<HashMap<(String, String), Result<String, Error>>>);

impl Copies {
    pub(super) fn take(&self, place: &str, snapshot: &str) -> Option<Result<String, Error>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(place.to_owned(), snapshot.to_owned()))
    }

    pub(super) fn put(&self, place: &str, snapshot: &str, copy: Result<String, Error>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((place.to_owned(), snapshot.to_owned()), copy);
    }
}
