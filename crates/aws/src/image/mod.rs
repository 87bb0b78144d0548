//! Images and their snapshots: finding, describing, registering, comparing, copying, deleting.

mod cache;
mod copy;
mod copy_slots;
mod copy_snapshot;
mod create;
mod delete;
mod facts;
mod images;
mod list;
mod mapping;
mod name;
mod parts;
mod register;
mod source;
mod spec;
mod tags;
mod uefi;

pub(crate) use copy::{CopyOrigin, copy, require_tokens};
pub(crate) use copy_slots::{CopySlot, is_quota};
pub(crate) use copy_snapshot::{SnapshotCopy, begin_copy, begin_copy_now, find_copy, wait_for_copy};
pub(crate) use create::{CreateImageError, available, create};
pub(crate) use delete::{delete, delete_snapshot, sweep_snapshot, undo};
pub(crate) use facts::{CaptureMethod, capture_method, is_plain_linux, is_tested, record, snapshots, source_image};
pub(crate) use images::Images;
pub(crate) use list::{describe, list, ours};
pub(crate) use mapping::{
    Device, VolumeSnapshot, of_capture, of_create_image, of_image as devices, source_disk, with_snapshots,
};
pub(crate) use name::{of_plan, validate_name};
pub(crate) use parts::{close_published, close_registered, repair_parts, tag_parts};
pub(crate) use register::register;
pub(crate) use source::{by_id, described, find_source};
pub(crate) use spec::ImageSpec;
pub(crate) use tags::{LIFETIME, created, expiring, shared_key, specification, tags_of};
pub(crate) use uefi::{MachineVariables, fill, of_machine as uefi_of_machine};
