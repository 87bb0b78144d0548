//! The sandbox: a process tree with a root file system of its own, held by one process in the foreground.
//!
//! `ami-bake __sandbox SPEC.json` is the *holder*: it creates the namespaces and starts *init*, PID 1 of the sandbox, which
//! mounts the root and runs the program. All of these are our own program, run again single-threaded, because namespaces
//! belong to threads. When the holder or init dies, for whatever reason, the kernel kills every process of the PID
//! namespace, and the private mount namespace ends with the last one.
//!
//! It protects against mistakes of a step, and against a step that reads what it should not. The host's files can't be
//! changed; its processes, its credentials and the bake's environment can't be seen; kernel settings and the clock
//! can't be set. It is no protection against attacks on the kernel. Root in a sandbox that root started is root with
//! fewer capabilities; in a sandbox that a user started it has no more rights than that user.
//!
//! Needs Linux 5.11 (overlay mounts in user namespaces); as root 5.8 (entering by pidfd).

mod arguments;
mod capabilities;
mod command_line;
mod descendants;
mod devices;
mod enter;
mod failure;
mod file_task;
mod helper;
mod hide;
mod holder;
mod init;
mod mounts;
mod network;
mod new_root;
mod overlay;
mod raw;
mod root;
mod spec;
mod task;
mod transfer;
mod unpack;
mod users;
mod within;

pub use arguments::COMMAND;
pub(crate) use arguments::{EXPORT, SETUP_FAILED};
pub(crate) use command_line::run;
pub(crate) use failure::{failure_text, from_stderr, from_text};
pub(crate) use file_task::FileTask;
pub(crate) use helper::Helper;
pub(crate) use holder::main as hold;
pub(crate) use mounts::points as mount_points;
pub(crate) use raw::close_descriptors_on_exec;
pub use spec::{Bind, Network, Spec};
pub(crate) use task::{Action, Address, CONNECTED, Task, TaskOutcome};
pub use unpack::unpack;
pub(crate) use users::{become_file_owner, missing as missing_for_users};
