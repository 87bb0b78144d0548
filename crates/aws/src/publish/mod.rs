//! Publishing: copies a tested image to other regions and accounts, shares it, sets parameters, and deletes old
//! versions.

mod copies;
mod copy_snapshots;
mod deliver;
mod destination;
mod mark;
mod parameters;
mod preflight;
mod presign;
mod publisher;
mod retention;
mod share;
mod transfer;

pub(crate) use copy_snapshots::prepare;
pub(crate) use deliver::publish;
pub(crate) use preflight::preflight;
pub(crate) use publisher::Publisher;
pub(crate) use retention::{inventory, release, retire, superseded};
