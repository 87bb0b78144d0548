//! What people already have to a bake manifest: Packer's templates in JSON and HCL2, and the resources of EC2 Image Builder.
//!
//! Nothing is lost silently. Every value of the input is marked as used by whoever reads it; the rest is reported with its path in
//! the input. The result is validated with the manifest's own check, and what the check refuses is reported too.

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
