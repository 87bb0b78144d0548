//! Runs Image Builder component documents as AWSTOE does: [`validate`] checks a document before a machine starts, and
//! [`Components`] runs its phases on a machine.
//!
//! Reference: <https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html>.

mod check;
mod checksum;
mod components;
mod document;
mod encoding;
mod grants;
mod machine;
mod module;
mod modules;
mod preflight;
mod reference;
mod run;
mod scope;

pub use check::{phases, validate};
pub use components::Components;
pub use grants::grants;
