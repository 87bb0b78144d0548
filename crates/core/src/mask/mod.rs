//! The secret masker: values declared as secrets never leave the program in clear.
//!
//! It guards against accidents: a tool that prints its configuration, a trace, an error that quotes its input. Code
//! that wants to reveal a secret can always print it in an unknown form, such as backwards.

mod forms;
mod json;
mod masker;
mod matcher;
mod scanner;
mod stream;
mod unescape;

pub use json::mask_json;
pub use masker::{MASK, Masker};
pub use stream::MaskStream;
