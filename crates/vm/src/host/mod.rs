//! What this computer has: QEMU's programs, firmware, hardware virtualization.

mod accelerator;
mod firmware;
mod programs;

pub(crate) use accelerator::{Accelerator, detect};
pub(crate) use firmware::{FirmwareFiles, uefi};
pub(crate) use programs::{decompressor, emulator, find, qemu_img};
