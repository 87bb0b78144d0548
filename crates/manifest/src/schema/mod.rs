//! The JSON Schema: generated from the types, and used to validate a manifest's structure.

mod coerce;
mod explain;
mod generate;
mod instance_path;
mod reference;
mod validate;
mod wrong_type;

pub(crate) use coerce::{coerce, literal, soften};
pub use generate::schema;
pub use reference::reference;
pub(crate) use validate::{SchemaValidator, validate};
