//! Converts provisioners to steps.

mod ansible;
mod chef;
mod common;
mod environment;
mod execute;
mod fields;
mod file;
mod home;
mod playbook;
mod restart;
mod script;
mod shell;
mod shell_line;
mod steps;
mod values;

pub(in crate::packer) use steps::{applies, rest, steps};
