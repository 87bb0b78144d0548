//! Converts Packer templates (JSON and HCL2) and resources of EC2 Image Builder to bake manifests.
//!
//! Nothing is lost silently. Every value of the input that is read is marked as used; unused values are reported with
//! their paths. The result is validated with the manifest's own check, and everything that the check refuses is
//! reported too.

mod comment;
mod context;
mod duration;
mod hcl;
mod hoist_defaults;
mod hoist_run;
mod imagebuilder;
mod import;
mod input;
mod output;
mod packer;
mod paths;
mod read;
mod relocate;
mod repair;
mod template;
mod yaml;

pub use hcl::{TemplateFiles, gather};
pub use import::{Imported, Request, import};
pub use input::{Finding, FindingKind, Refused, Source};
pub use output::lines;
pub use read::is_importable;
