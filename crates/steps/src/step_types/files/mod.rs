//! The step types `upload` and `download`: one tar stream in each direction, no file in memory.

mod download;
mod pack;
mod upload;

pub(crate) use upload::upload;
