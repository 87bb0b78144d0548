//! The part of GitHub's API that reports use.

mod client;
mod encode;
mod refusal;
mod settings;

pub use client::{Api, Comment, Release, ReleaseAsset};
pub(crate) use encode::percent;
pub use settings::Settings;
