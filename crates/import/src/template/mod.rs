//! Packer's templates: Go templates with Packer's functions, evaluated or turned into the manifest's expressions.

mod evaluate;
mod function;
pub(crate) mod layout;
mod parse;
mod words;

pub(crate) use evaluate::{Scope, Trouble, evaluate};
pub(crate) use function::clean;
use parse::parse;
pub(crate) use words::{Expr, Part, Words};
