//! The canonical form of a manifest: keys in the order of the reference, two spaces of indentation.

mod canonical;
mod order;
mod syntax;
mod writer;

pub use canonical::canonical;
