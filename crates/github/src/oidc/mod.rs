//! The workflow's own identity: GitHub's OIDC token, and what to do where there is none.

mod claims;
mod fetch;
mod missing;

pub use claims::read as read_claims;
pub use fetch::WorkflowTokens;
pub use missing::help_without;
