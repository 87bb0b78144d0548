//! The platform `vm`: machines are QEMU virtual machines on this computer, images are disks in the local store.
//!
//! Imports run upward only: `capabilities`, `host` (what this computer has) and `helper` (the hidden command line) at the
//! bottom, then `qemu` (a running virtual machine) and `data` (what cloud-init reads), `source`, `machine`, `export`, and
//! `platform` on top.

mod capabilities;
mod data;
mod export;
mod helper;
mod host;
mod machine;
mod platform;
mod qemu;
mod source;

pub use capabilities::CAPABILITIES;
pub use export::{Exported, Format};
pub use helper::dispatch;
pub use platform::Vm;
