//! What AWS refused: as data, and in words with what to do about it.

mod denied;
mod failure;

pub(crate) use denied::service;
pub(crate) use failure::Failure;
