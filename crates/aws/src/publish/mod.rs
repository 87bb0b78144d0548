//! Publishing: a tested image in other regions and accounts, shared, behind parameters; and which old versions go.

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
pub(crate) use retention::{inventory, retire, superseded};
