//! Whose credentials a bake uses.
//!
//! Base credentials come from the SDK's default chain (environment, profile, web identity file, container, IMDS). A
//! role, where one is given, is assumed from them and assumed anew before it expires. Another source of base
//! credentials, such as a workflow's OIDC token, is another [`SharedCredentialsProvider`] given to [`provider`].

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;

/// Renewed this long before the end, so that no call of a long stage meets an expired key. The SDK's own 10 s is shorter
/// than one slow call.
const RENEW_BEFORE: Duration = Duration::from_mins(5);
/// The time for one renewal, an AssumeRole with its retries.
const RENEW_TIME: Duration = Duration::from_secs(30);
/// How CloudTrail names the session.
const SESSION: &str = "ami-bake";

/// A cache that renews credentials in good time.
pub(crate) fn cache() -> SharedIdentityCache {
    IdentityCache::lazy().buffer_time(RENEW_BEFORE).load_timeout(RENEW_TIME).build()
}

/// The credentials for `role`, assumed at STS in `region` with the base credentials of `config`.
pub(crate) async fn provider(config: &SdkConfig, role: &str, region: Region) -> SharedCredentialsProvider {
    let assumed =
        AssumeRoleProvider::builder(role).session_name(SESSION).configure(config).region(region).build().await;
    SharedCredentialsProvider::new(assumed)
}
