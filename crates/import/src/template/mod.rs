//! Packer's templates: Go templates with Packer's functions, which are evaluated or converted to the manifest's
//! expressions.

mod evaluate;
mod function;
pub(crate) mod layout;
pub(crate) mod parse;
mod text;
mod unsupported;
mod words;

pub(crate) use evaluate::{BUDGET, TemplateScope, evaluate, evaluate_segments, not_passed_on};
pub(crate) use function::clean;
#[cfg(test)]
pub(crate) use text::Fragment;
pub(crate) use text::{Template, call};
pub(crate) use unsupported::Unsupported;
pub(crate) use words::{Expr, Part, Words, members};
