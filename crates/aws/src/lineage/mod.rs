//! Lineage: the source's snapshots copied once into the account, so that the first snapshot of a bake is incremental.
//!
//! The copy is a private image like the source, found by its tags. A bake that finds none boots the source itself and
//! creates the copy beside it, off the critical path; the next bake boots the copy. A copy that is unfinished at the
//! end of a bake is completed by the next one. Each use extends the copy's expiry, so that sweep deletes the copies of
//! sources that nobody uses any more.

mod copy;
mod key;
mod lineages;
mod look;

pub(crate) use copy::undo;
pub(crate) use lineages::Lineages;
pub(crate) use look::own_copy;
