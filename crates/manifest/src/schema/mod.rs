//! The JSON Schema: made from the types, and the judge of a file's structure.

mod coerce;
mod generate;
mod judge;
mod reference;
mod sentence;

pub(crate) use coerce::{coerce, literal, soften};
pub use generate::schema;
pub(crate) use judge::{Judge, judge};
pub use reference::reference;
