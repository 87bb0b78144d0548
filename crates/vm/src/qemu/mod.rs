//! A running virtual machine: its command line, its process, its monitor, its serial console.

mod arguments;
mod console;
mod disk;
mod monitor;
mod process;

pub(crate) use arguments::{CONSOLE, DISK, Forward, Hardware, METADATA_SOCKET, PROGRAM_LINK, SEED, Seed, VARIABLES};
pub(crate) use console::{Console, PANIC, ends_well};
pub(crate) use disk::{convert, info, overlay, run as run_qemu_img};
pub(crate) use process::{Ended, Qemu};
