//! Files of this computer, read and written on threads that may block.

mod blocking;
mod stream;
mod verified;

pub(crate) use blocking::{about, blocking};
pub(crate) use stream::{BlockingReader, Chunks};
pub(crate) use verified::{Verified, changed};
