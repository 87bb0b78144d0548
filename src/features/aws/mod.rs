//! The cargo feature `aws`: the platform, and the command that prints its IAM policies.

mod iam_template;
mod platform;
mod policy;

pub(super) use platform::AwsFactory;
pub(super) use policy::{Args as PolicyArgs, run as policy};
