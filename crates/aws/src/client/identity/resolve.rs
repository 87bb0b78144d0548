//! Resolves the chain of credentials: base credentials, and each role assumed with the one before.

use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::{Error, Result};
use aws_config::identity::IdentityCache;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;

use super::arn::{Partition, RoleArn};
use super::assume::AssumeRole;
use super::renewal::RenewingProvider;
use super::settings::Identity;
use super::sources::{CredentialsSource, DefaultChain};
use super::web::WebIdentity;

/// Time limit for one renewal, including the retries of every role in the chain.
const RENEW_TIME: Duration = Duration::from_mins(2);

/// A cache that keeps credentials until the renewal time that [`RenewingProvider`] reports.
pub(crate) fn cache() -> SharedIdentityCache {
    IdentityCache::lazy().buffer_time(Duration::ZERO).load_timeout(RENEW_TIME).build()
}

/// The configuration `base` with the credentials for `identity`, and the region whose STS is used.
///
/// # Errors
/// When a role's ARN is invalid, or its partition is not that of the home region.
pub(crate) fn resolve(
    base: &SdkConfig,
    identity: &Identity,
    home: &Region,
    clock: &Arc<dyn Clock>,
) -> Result<(SdkConfig, Region)> {
    let roles = identity.roles.iter().map(|role| RoleArn::parse(role)).collect::<Result<Vec<_>>>()?;
    for role in &roles {
        let partition = Partition::of_region(home.as_ref());
        if role.partition() != partition.as_str() {
            return Err(Error::preflight(format!(
                "the role {role} is in the partition {}, but the region {home} is in {}",
                role.partition(),
                partition.as_str()
            ))
            .help("A role can only be used in regions of its own partition. Change the role or the region."));
        }
    }
    let sts_region = identity.sts_region.clone().map_or_else(|| home.clone(), Region::new);
    let with = |provider: SharedCredentialsProvider| base.to_builder().credentials_provider(provider).build();
    let mut hops = roles.into_iter();
    let mut config = match (&identity.tokens, hops.next()) {
        (Some(tokens), Some(role)) => {
            let web = WebIdentity::new(base, identity, role, Arc::clone(tokens), sts_region.clone(), Arc::clone(clock));
            with(renewing(web, identity))
        }
        (None, role) => {
            let chain = with(renewing(DefaultChain::of(base, identity), identity));
            match role {
                Some(role) => {
                    with(renewing(AssumeRole::new(&chain, identity, role.as_str(), sts_region.clone()), identity))
                }
                None => chain,
            }
        }
        (Some(_), None) => with(renewing(DefaultChain::of(base, identity), identity)),
    };
    for role in hops {
        config = with(renewing(AssumeRole::new(&config, identity, role.as_str(), sts_region.clone()), identity));
    }
    Ok((config, sts_region))
}

/// Credentials for `role` in another account, assumed with those of `config`. Makes no call yet.
pub(crate) fn chained(
    config: &SdkConfig,
    identity: &Identity,
    role: &str,
    region: Region,
) -> SharedCredentialsProvider {
    renewing(AssumeRole::new(config, identity, role, region), identity)
}

fn renewing(source: impl CredentialsSource, identity: &Identity) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(RenewingProvider::new(source, identity.masker.clone()))
}
