//! The input. Every value that is read is marked as used, and unused values are reported.

mod finding;
mod log;
mod reader;
mod source;
mod spans;
mod value;

pub use finding::{Finding, FindingKind};
pub(crate) use log::{Log, SourceComment};
pub(crate) use reader::Reader;
pub use source::{Refused, Source};
pub(crate) use spans::SpanMap;
pub(crate) use value::{InputValue, Location, Member, ValueKind};
