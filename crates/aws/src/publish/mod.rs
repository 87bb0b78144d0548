//! Publishing: a tested image in other regions, in other hands, behind parameters.

mod copies;
mod deliver;
mod judge;
mod mark;
mod parameters;
mod place;
mod presign;
mod share;

pub(crate) use copies::{Copies, prepare};
pub(crate) use deliver::publish;
pub(crate) use judge::judge;
