//! The domain of ami-bake: baking images, independent of any cloud.
//!
//! The manifest crate makes a [`plan`], the [`engine`] runs it on a [`platform::Platform`], every created resource is
//! recorded in the [`ledger`], and everything that happens is emitted as an [`event`]. Nothing in this crate prints.

pub mod archive;
pub mod clock;
pub mod communicator;
pub mod console;
pub mod delivery;
pub mod duration;
pub mod engine;
pub mod error;
pub mod event;
pub mod failure;
pub mod image;
pub mod image_name;
pub mod invisible;
pub mod kill;
pub mod ledger;
pub mod limit;
pub mod location;
pub mod machine;
pub mod mask;
pub mod output;
pub mod own_files;
pub mod plan;
pub mod platform;
pub mod poll;
pub mod provision;
pub mod relay;
pub mod report;
pub mod retention;
pub mod rollout;
pub mod route;
pub mod run;
pub mod services;
pub mod shell;
pub mod tags;
pub mod token;
pub mod version;
pub mod whole_file;

pub use error::{Error, ErrorKind, Result};
pub use location::SourceLocation;
pub use route::{Route, Segment};
pub use run::Run;
