//! The input as it is read: every value that is read is marked as used, and what is not used is reported.

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
