//! The Docker platform: machines are containers of an engine, images are commits of them, labels say what is ours.

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

pub use engine::Settings;
pub use platform::{CAPABILITIES, Docker};
