//! What is judged beyond structure and expressions.

mod files;
mod images;
mod moving;
mod platform;
mod unsupported;

pub(crate) use files::structure_only;
pub(crate) use images::images;
pub(crate) use moving::moving;
pub(crate) use unsupported::unsupported;
