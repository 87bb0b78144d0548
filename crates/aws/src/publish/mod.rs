//! Publishing: a tested image in other regions and accounts, in other hands, behind parameters; and what goes for it.

mod copies;
mod deliver;
mod destination;
mod judge;
mod mark;
mod parameters;
mod place;
mod presign;
mod retention;
mod share;

pub(crate) use copies::{Copies, prepare};
pub(crate) use deliver::publish;
pub(crate) use judge::judge;
pub(crate) use retention::{inventory, retire, superseded};
