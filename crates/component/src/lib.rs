//! Image Builder component documents, run as AWSTOE runs them: [`judge`] says before a machine starts what is wrong with
//! one, [`Components`] runs its phases on a machine.
//!
//! Meaning of the documents: <https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-use-documents.html>.

mod check;
mod document;
mod grants;
mod module;
mod modules;
mod reference;
mod run;

pub use check::{judge, phases};
pub use grants::grants;
pub use module::names;
pub use run::Components;
