//! What people already have to a bake manifest: Packer's templates in JSON and HCL2, and the resources of EC2 Image Builder.
//!
//! Nothing is lost in silence. Every value of the input is ticked off by whoever uses it; what is left is told with its
//! path in the input. What comes out is held against the manifest's own check, and what it refuses is told too.

mod comment;
mod context;
mod credential;
mod hcl;
mod imagebuilder;
mod input;
mod json;
mod output;
mod packer;
mod paths;
mod read;
mod repair;
mod request;
mod share;
mod template;
mod yaml;

pub use hcl::{Gathered, gather};
pub use input::{Finding, Kind};
pub use output::lines;
pub use read::is_importable;
pub use request::{Imported, Refused, Request, Source, import};
