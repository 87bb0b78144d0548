//! The JSON Schema: generated from the types, and used to validate a manifest's structure.

mod coerce;
mod editor;
mod explain;
mod generate;
mod instance_path;
mod reference;
mod validate;
mod wrong_type;

pub(crate) use coerce::{coerce, literal, soften};
pub use editor::schema;
pub(crate) use generate::strict;
pub use reference::reference;
pub(crate) use validate::{SchemaValidator, validate};
