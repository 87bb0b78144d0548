//! The step type `expect`: assertions about a machine, retried until they hold.

mod account;
mod command;
mod file;
mod http;
mod port;
mod search;
mod step;
mod system;

pub(crate) use command::execute;
