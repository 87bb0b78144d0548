//! Permissions of the role: AWS is asked by dry run, once per action, and nothing is created.
//!
//! The checks cover what the [policy](crate::policy) of the manifest grants, action by action: [`ask`] has a check for
//! each, and [`unasked`] lists those that can't be checked without running them.

mod ask;
mod check;
mod grants;
mod look;
mod make;
mod probe;
mod publish;
mod question;
#[cfg(test)]
mod tests;
mod unasked;

pub(crate) use check::check;
