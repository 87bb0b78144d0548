//! Writes IDs of images into the repository: files by a commit or a pull request, and variables of the repository.

mod branch;
mod file;
mod variable;

pub use branch::{Base, BranchWrite, WrittenFiles, check_files, write_files};
pub use file::{Edit, FileEdit};
pub use variable::{check_variable, write_variable};
