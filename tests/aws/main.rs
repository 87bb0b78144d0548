//! Bakes on AWS, end to end: the program as a user calls it, against the test cloud with real machines.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "nothing here is async: the program under test is another process")]

mod account;
mod accounts;
mod action;
mod ansible;
mod cancel;
mod capture;
mod chain;
mod component;
mod content;
mod corpus;
mod deploy;
mod deploy_back;
mod deploy_elsewhere;
mod deploy_replace;
mod enforce;
mod faults;
mod first_contact;
mod fixture;
mod fleet;
mod guests;
mod hardened;
mod import;
mod life;
mod lineage;
mod matrix;
mod output;
mod owner;
mod packer;
mod policy;
mod preflight;
mod publish;
mod retention;
mod safety;
mod source;
mod stored;
mod unclean;
mod verbs;
