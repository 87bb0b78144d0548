//! Serializes maps that copies of a report share as plain maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

type Map = BTreeMap<String, String>;

pub(super) fn is_empty(map: &Arc<Map>) -> bool {
    map.is_empty()
}

pub(super) fn serialize<S: Serializer>(map: &Arc<Map>, serializer: S) -> Result<S::Ok, S::Error> {
    map.as_ref().serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Map>, D::Error> {
    Map::deserialize(deserializer).map(Arc::new)
}
