//! Publishing: a tested image in other regions, in other hands, behind parameters.

mod copies;
mod deliver;
mod judge;
mod place;
mod presign;

pub(crate) use copies::{Copies, prepare};
pub(crate) use deliver::publish;
pub(crate) use judge::judge;
