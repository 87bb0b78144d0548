//! Changes one value of a JSON, YAML, TOML or HCL file. Everything else in the file stays as it is, byte by byte: only the
//! place of the value is taken from a parser.

mod format;
mod hcl;
mod pointer;
mod replace;
mod toml;
mod yaml;

pub use format::FileFormat;
pub use pointer::Pointer;
pub use replace::replace;
