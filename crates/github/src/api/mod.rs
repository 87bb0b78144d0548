//! GitHub's REST API, as far as reports need it.

mod client;
mod encode;
mod refusal;
mod settings;

pub use client::{Api, Comment, Release, ReleaseAsset};
pub(crate) use encode::percent;
pub use settings::Settings;
