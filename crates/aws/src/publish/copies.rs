//! Copies of snapshots into other regions and accounts that were started while the image was being tested.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ami_bake_core::{Error, Result};

/// Started copies: by region or account and source snapshot, the ID of the copy, or why there is none.
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
