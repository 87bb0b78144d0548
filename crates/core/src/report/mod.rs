//! What came of a run: a fold over its events, and the file that later commands and workflows read.

mod file;
mod fold;
mod model;
mod packages;
mod seconds;

pub use file::{FILE_NAME, read, write};
pub use model::{
    ImageReport, Left, MachineReport, Notice, REPORT_FORMAT, Report, StageReport, Status, StepReport, StepResult,
};
pub use packages::{PackageChange, PackageChanges};
