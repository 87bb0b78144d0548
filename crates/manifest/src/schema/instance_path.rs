//! Converts the path of a schema error to a route.

use ami_bake_core::Segment;
use jsonschema::ValidationError;

use crate::tree::{Kind, Node};

/// The route of an error in `node`. JSON pointers do not distinguish indices from keys, so the tree decides.
pub(super) fn segments(error: &ValidationError<'_>, node: &Node) -> Vec<Segment> {
    let pointer = error.instance_path().as_str();
    let keys = pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
    let mut at = Some(node);
    keys.map(|key| {
        let is_list = at.is_some_and(|node| matches!(node.kind, Kind::List(_)));
        let segment = match key.parse() {
            Ok(index) if is_list => Segment::Index(index),
            _ => Segment::Key(key),
        };
        at = at.and_then(|node| node.child(&segment));
        segment
    })
    .collect()
}
