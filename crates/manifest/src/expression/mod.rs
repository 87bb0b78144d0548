//! Expressions: GitHub's grammar and coercions, with the contexts and functions of ami-bake.

mod error;
mod eval;
mod function;
mod lexer;
mod lint;
mod names;
mod parser;
mod template;
mod tree;
mod value;

pub(crate) use eval::{Scope, evaluate};
pub(crate) use lint::{lint, locate};
pub(crate) use template::{Piece, Template};
pub(crate) use tree::{Expr, ExprKind};
pub(crate) use value::{text, truth};
