//! Behavior of the command line: runs the program itself, in a folder of its own, independent of this machine's
//! environment.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests wait for processes, and end where they fail"
)]

mod action;
mod action_events;
mod action_feedback;
#[cfg(feature = "docker")]
mod action_image;
#[cfg(feature = "local")]
mod ansible;
mod check;
mod component;
mod component_corpus;
mod confinement;
#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "docker")]
mod docker_corpus;
#[cfg(feature = "docker")]
mod docker_publish;
mod downloads;
mod editor;
mod first_steps;
mod fixture;
mod fmt;
mod full_disk;
#[cfg(feature = "github")]
mod github;
mod https;
mod import;
mod language_server;
mod local;
#[cfg(feature = "local")]
mod output;
#[cfg(feature = "local")]
mod plan_print;
#[cfg(feature = "aws")]
mod policy_templates;
#[cfg(feature = "github")]
mod printed;
#[cfg(feature = "local")]
mod uploads;
mod usage;
mod vm;
#[cfg(all(feature = "github", feature = "local"))]
mod write_back;
