//! Images: found, registered, compared, taken away.

mod copy;
mod copy_snapshot;
mod create;
mod delete;
mod list;
mod mapping;
mod name;
mod once;
mod record;
mod register;
mod uefi;
mod wanted;

pub(crate) use copy::{Origin, copy, require_tokens};
pub(crate) use copy_snapshot::{CopyAsk, begin_copy, find_copy, wait_for_copy};
pub(crate) use create::{NotMade, available, create};
pub(crate) use delete::{delete, delete_snapshot, is_tested, undo};
pub(crate) use list::{describe, filter, list, ours};
pub(crate) use mapping::{Behind, Device, Taken, of_capture, of_image as devices};
pub(crate) use name::{judge, of_plan};
pub(crate) use once::{no_retries, once};
pub(crate) use record::{record, snapshots};
pub(crate) use register::{register, tag_parts};
pub(crate) use uefi::fill;
pub(crate) use wanted::Wanted;
