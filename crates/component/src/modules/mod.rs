//! The implementations of the action modules.

mod act;
mod attempt;
mod deliver;
mod document;
mod execute;
mod files;
mod inputs;
mod s3;
mod summary;
mod system;
mod web;

pub(crate) use act::act;
pub(crate) use attempt::{Attempt, DocumentRunner};
pub(crate) use summary::Summary;
