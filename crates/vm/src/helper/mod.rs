//! The hidden command line of the re-executed program, `ami-bake __vm …`: processes between this program and QEMU.
//!
//! ```text
//! __vm hold SECONDS PROGRAM …   runs QEMU; ends it when standard input is closed, or after this time
//! __vm exec PARENT PROGRAM …    becomes QEMU, which the kernel kills when the parent ends
//! __vm relay SOCKET             connects standard input and output to a socket (QEMU's `guestfwd`)
//! ```

mod entry;
mod hold;
mod relay;

pub use entry::dispatch;

/// First argument of the hidden command line.
pub(crate) const COMMAND: &str = "__vm";
/// Holds a machine.
pub(crate) const HOLD: &str = "hold";
/// Becomes QEMU.
pub(crate) const EXEC: &str = "exec";
/// Relays a connection.
pub(crate) const RELAY: &str = "relay";
/// The command to the holder on its standard input, followed by a number of seconds: it must let the machine run for this
/// time, and no longer end it with its input.
pub(crate) const KEEP: &str = "keep ";
