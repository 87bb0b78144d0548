//! The sandbox: a process tree with a root file system of its own, held by one process in the foreground.
//!
//! `ami-bake __sandbox SPEC.json` is the *holder*: it makes the namespaces and starts *init*, PID 1 of the sandbox, which
//! mounts the root and runs the wanted program. All of it is our own binary, run again single-threaded, because
//! namespaces belong to threads. When the holder or init dies, however it dies, the kernel ends every process of the PID
//! namespace, and with the last one the private mount namespace goes.
//!
//! What it protects from: a step's mistakes, and its reading what it has no business with. The host's files can't be
//! changed, its processes, its credentials and the bake's environment can't be seen, kernel settings and the clock can't
//! be set. What it is not: a wall against somebody who attacks the kernel. Root in a sandbox that was started by root is
//! root, with fewer capabilities; started by a user it is no more than that user.
//!
//! Needs Linux 5.11 (overlay mounts in user namespaces); as root 5.8 (entering by pidfd).

mod capabilities;
mod descendants;
mod devices;
mod enter;
mod entry;
mod files;
mod hide;
mod holder;
mod init;
mod inside;
mod mounts;
mod network;
mod overlay;
mod raw;
mod root;
mod spec;
mod transfer;
mod users;
mod within;

pub(crate) use enter::{Action, Address, CONNECTED, Task};
pub(crate) use entry::{ENTER, FILES, from_text, said};
pub use entry::{VERB, dispatch, main};
pub(crate) use files::Work;
pub(crate) use mounts::points as mount_points;
pub use spec::{Bind, Network, Spec};
pub(crate) use transfer::unpack;
pub(crate) use users::missing as missing_for_users;
pub(crate) use within::Outcome;
