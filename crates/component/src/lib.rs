//! Image Builder component documents, run as AWSTOE runs them: [`validate`] says before a machine starts what is wrong with
//! one, [`Components`] runs its phases on a machine.
//!
//! Meaning of the documents: <https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html>.

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
