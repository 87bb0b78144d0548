//! Packer's functions in HCL.

mod arguments;
mod call;
mod collection;
mod encode;
mod file;
mod number;
mod string;
mod time;

pub(super) use call::call;
