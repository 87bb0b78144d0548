//! The Docker platform: machines are containers of a Docker daemon, images are commits of them, labels mark what
//! ami-bake created.
//!
//! Imports run upward only: `engine` (connection and errors), `reference`, `labels` and `credentials` at the bottom, then
//! `image`, `source` and `machine`, then `publish` and `sweep`, and `platform` on top.

mod capabilities;
mod credentials;
mod engine;
mod image;
mod labels;
mod machine;
mod platform;
mod publish;
mod reference;
mod source;
mod sweep;

pub use capabilities::CAPABILITIES;
pub use engine::Settings;
pub use platform::Docker;
