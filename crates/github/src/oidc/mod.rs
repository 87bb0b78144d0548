//! The workflow's identity: GitHub's OIDC token, and help when there is none.

mod claims;
mod fetch;
mod missing;

pub use fetch::WorkflowTokens;
pub use missing::help_without;
