//! Packer's functions in HCL.

mod arguments;
mod call;
mod collection;
mod date;
mod digest;
mod encode;
mod file;
mod network;
mod number;
mod string;
mod table;
mod time;

pub(super) use call::call;
