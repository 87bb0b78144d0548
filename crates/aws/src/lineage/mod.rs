//! Lineage: the source's snapshots copied once into the account, so that the first snapshot of a bake is incremental.
//!
//! The copy is a private image like the source, found by its tags. A bake that finds none starts from the source itself
//! and has the copy made beside it, off the critical path; the next one starts from the copy. What a bake that ends
//! first has begun is finished by the next one. Each use moves the copy's end away, so that sweep takes the copies of
//! sources that nobody bakes on any more.

mod copy;
mod key;
mod lineages;
mod look;

pub(crate) use copy::undo;
pub(crate) use lineages::Lineages;
pub(crate) use look::own_copy;
