//! Values that are created once per key.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use ami_bake_core::Result;
use tokio::sync::OnceCell;

/// A [`OnceCell`] per key: concurrent callers wait for the first one. A failure is returned to its caller, and the next
/// caller tries again.
pub(crate) struct KeyedOnceCell<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for KeyedOnceCell<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> KeyedOnceCell<K, V> {
    /// The value of `key`, created by `make` if there is none.
    pub(crate) async fn get(&self, key: K, make: impl Future<Output = Result<V>>) -> Result<V> {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key).or_default())
        };
        cell.get_or_try_init(|| make).await.cloned()
    }
}
