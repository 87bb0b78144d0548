//! The RunInstances request of one attempt.

use std::collections::BTreeMap;

use ami_bake_core::plan::{ImageKey, MachineSettings, Phase};
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, HttpTokensState, IamInstanceProfileSpecification, InstanceInterruptionBehavior,
    InstanceMarketOptionsRequest, InstanceMetadataEndpointState, InstanceMetadataOptionsRequest,
    InstanceNetworkInterfaceSpecification, InstanceType, MarketType, ResourceType, ShutdownBehavior, SpotInstanceType,
    SpotMarketOptions,
};

use super::refusal::JustMade;
use crate::client::{Client, hash};
use crate::image::specification;

/// Type, subnet and market of one launch attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The instance type.
    pub(super) kind: String,
    /// The subnet. Default: EC2's choice in the default VPC.
    pub(super) subnet: Option<String>,
    /// True for spot capacity.
    pub(super) spot: bool,
    /// Number of the attempt in the run: no two attempts share a token.
    pub(super) number: u64,
}

impl Attempt {
    /// The attempt for messages: "t3.small in subnet-1, spot".
    pub(super) fn in_words(&self) -> String {
        let place = self.subnet.as_ref().map_or(String::new(), |subnet| format!(" in {subnet}"));
        let market = if self.spot { ", spot" } else { "" };
        format!("{}{place}{market}", self.kind)
    }

    /// The client token: 64 hexadecimal digits, EC2's limit. The same attempt always has the same one, so that a
    /// repeated request finds the machine that the first one started.
    pub(super) fn token(&self, run: &str, key: &ImageKey, phase: Phase) -> String {
        let text = format!(
            "{run}|{key}|{}|{}|{}|{}|{}",
            phase.as_str(),
            self.number,
            self.kind,
            self.subnet.as_deref().unwrap_or("-"),
            if self.spot { "spot" } else { "on-demand" },
        );
        hash(&text, 64)
    }
}

/// The part of the request that all attempts of a launch share.
#[derive(Debug, Clone)]
pub(super) struct Blueprint {
    pub(super) image: String,
    pub(super) key_name: String,
    pub(super) groups: Vec<String>,
    pub(super) profile: Option<String>,
    pub(super) user_data: Option<String>,
    pub(super) mappings: Vec<BlockDeviceMapping>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) settings: MachineSettings,
}

impl Blueprint {
    /// Which resources of the request this run created.
    pub(super) fn made(&self) -> JustMade {
        JustMade { group: self.settings.security_groups.is_empty(), profile: self.settings.profile.is_none() }
    }

    /// The request of one attempt, to be sent once or repeated unchanged.
    pub(super) fn request(&self, client: &Client, attempt: &Attempt, token: &str) -> RunInstancesFluentBuilder {
        let request = client
            .ec2
            .run_instances()
            .image_id(&self.image)
            .instance_type(InstanceType::from(attempt.kind.as_str()))
            .min_count(1)
            .max_count(1)
            .client_token(token)
            .key_name(&self.key_name)
            .set_user_data(self.user_data.clone())
            .set_block_device_mappings(Some(self.mappings.clone()).filter(|all| !all.is_empty()))
            // A machine that shuts itself down is terminated with its disks, so the self-termination timer needs no
            // credentials.
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .metadata_options(self.metadata())
            .set_iam_instance_profile(
                self.profile.as_ref().map(|name| IamInstanceProfileSpecification::builder().name(name).build()),
            )
            .tag_specifications(specification(ResourceType::Instance, &self.tags))
            .tag_specifications(specification(ResourceType::Volume, &self.tags))
            .tag_specifications(specification(ResourceType::NetworkInterface, &self.tags));
        let request = match self.settings.public_ip {
            // A public address can only be set on an explicit network interface.
            Some(public) => request.network_interfaces(
                InstanceNetworkInterfaceSpecification::builder()
                    .device_index(0)
                    .associate_public_ip_address(public)
                    .delete_on_termination(true)
                    .set_subnet_id(attempt.subnet.clone())
                    .set_groups(Some(self.groups.clone()))
                    .build(),
            ),
            None => request.set_subnet_id(attempt.subnet.clone()).set_security_group_ids(Some(self.groups.clone())),
        };
        if !attempt.spot {
            return request;
        }
        request
            .instance_market_options(
                InstanceMarketOptionsRequest::builder()
                    .market_type(MarketType::Spot)
                    .spot_options(
                        SpotMarketOptions::builder()
                            .spot_instance_type(SpotInstanceType::OneTime)
                            .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate)
                            .build(),
                    )
                    .build(),
            )
            .tag_specifications(specification(ResourceType::SpotInstancesRequest, &self.tags))
    }

    fn metadata(&self) -> InstanceMetadataOptionsRequest {
        let tokens = match self.settings.metadata.tokens_required {
            Some(false) => HttpTokensState::Optional,
            _ => HttpTokensState::Required,
        };
        InstanceMetadataOptionsRequest::builder()
            .http_tokens(tokens)
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .set_http_put_response_hop_limit(self.settings.metadata.hops.map(i32::from))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt() -> Attempt {
        Attempt { kind: "t3.small".to_owned(), subnet: Some("subnet-1".to_owned()), spot: false, number: 0 }
    }

    #[test]
    fn the_token_is_stable_and_differs_between_attempts() {
        let key = ImageKey::new("base");
        let token = |attempt: &Attempt| attempt.token("run", &key, Phase::Build);
        let first = token(&attempt());
        assert_eq!(first, token(&attempt()));
        assert_eq!(first.len(), 64);
        assert!(first.is_ascii());
        for other in [
            Attempt { kind: "t3a.small".to_owned(), ..attempt() },
            Attempt { subnet: None, ..attempt() },
            Attempt { spot: true, ..attempt() },
            Attempt { number: 1, ..attempt() },
        ] {
            assert_ne!(first, token(&other), "{other:?}");
        }
        assert_ne!(first, attempt().token("run", &key, Phase::Test));
        assert_ne!(first, attempt().token("other", &key, Phase::Build));
    }
}
