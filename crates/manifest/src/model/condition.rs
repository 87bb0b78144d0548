//! The value of `if`.

use schemars::{Schema, SchemaGenerator, json_schema};

/// `if`: an expression, with or without `${{ }}`.
pub(super) fn condition(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "boolean"], "examples": ["vars.channel == 'stable'"] })
}
