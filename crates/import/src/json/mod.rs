//! JSON to a tree with places: duplicate keys are kept, and an error says what is wrong where.

mod node;
mod parse;

pub(crate) use node::{Kind, Member, Node};
pub(crate) use parse::{Mistake, parse};
