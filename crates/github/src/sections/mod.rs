//! The sections of a rendered report, each made from the report alone.

mod all;
mod comparison;
mod count;
mod deployments;
mod failures;
mod images;
mod machines;
mod notices;
mod packages;
mod regions;
mod tests;
mod timeline;
mod verdict;
mod written;

pub(crate) use all::all;
pub(crate) use images::images;
pub(crate) use packages::since_last;
pub(crate) use regions::regions;
