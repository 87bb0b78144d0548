//! The step types `upload` and `download`: one tar stream each way, no file in memory.

mod download;
mod pack;
mod upload;

pub(crate) use upload::upload;
