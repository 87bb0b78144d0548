//! The report of a run: a fold over its events, and the file that later commands and workflows read.

mod amend;
mod file;
mod fold;
mod merge;
mod model;
mod packages;
mod seconds;
mod shared;

pub use file::{FILE_NAME, parse, read, write, write_to};
pub use merge::merge;
pub use model::{
    ImageReport, MachineReport, Notice, OrphanReport, REPORT_FORMAT, Report, StageReport, Status, StepReport,
    StepResult,
};
pub use packages::{PackageChange, PackageChanges};
