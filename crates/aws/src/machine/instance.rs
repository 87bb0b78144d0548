//! Instances as EC2 describes them, and the poller for all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::Result;
use ami_bake_core::poll::{PollAnswer, Poller};
use aws_sdk_ec2::types as ec2;
use jiff::Timestamp;

use crate::client::{self, Client, Timing, filter, one_of, pages};

/// Prefix of the names of security groups that bakes create.
pub(super) const GROUP_PREFIX: &str = "ami-bake-";

/// Pause between two requests. One DescribeInstances per second takes a twentieth of the quota.
const INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of IDs per request; EC2 allows 1,000.
const BATCH: usize = 200;

/// An instance as DescribeInstances shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance {
    /// Instance ID.
    pub(crate) id: String,
    /// `pending`, `running`, `shutting-down`, `terminated`, `stopping`, `stopped`.
    pub(crate) state: String,
    /// The reason for the state: code and message of StateReason.
    pub(crate) reason: Option<(String, String)>,
    /// Instance type.
    pub(crate) kind: String,
    /// Availability zone.
    pub(crate) zone: String,
    /// Subnet ID.
    pub(crate) subnet: Option<String>,
    /// VPC ID.
    pub(crate) vpc: Option<String>,
    /// Public IPv4 address.
    pub(crate) public: Option<String>,
    /// Private IPv4 address.
    pub(crate) private: Option<String>,
    /// Public or private IPv6 address.
    pub(crate) ipv6: Option<String>,
    /// True on the Nitro hypervisor, whose serial console can be read at any time.
    pub(crate) nitro: bool,
    /// True for a spot instance.
    pub(crate) spot: bool,
    /// ID of the primary network interface.
    pub(crate) interface: Option<String>,
    /// Names of the security groups.
    pub(crate) groups: Vec<String>,
    /// Device names and volume IDs.
    pub(crate) volumes: Vec<(String, String)>,
    /// Device name of the root volume.
    pub(crate) root_device: Option<String>,
    /// Launch time.
    pub(crate) launched: Option<Timestamp>,
    /// Tags of the instance.
    pub(crate) tags: HashMap<String, String>,
}

impl From<&ec2::Instance> for Instance {
    fn from(instance: &ec2::Instance) -> Self {
        let text = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
        let interface = instance
            .network_interfaces()
            .iter()
            .find(|interface| interface.attachment().is_none_or(|at| at.device_index() == Some(0)));
        Self {
            id: instance.instance_id().unwrap_or_default().to_owned(),
            state: instance.state().and_then(|state| state.name()).map_or("", |name| name.as_str()).to_owned(),
            reason: instance
                .state_reason()
                .and_then(|reason| Some((reason.code()?.to_owned(), reason.message().unwrap_or_default().to_owned()))),
            kind: instance.instance_type().map_or("", |kind| kind.as_str()).to_owned(),
            zone: instance.placement().and_then(|at| at.availability_zone()).unwrap_or_default().to_owned(),
            subnet: text(instance.subnet_id()),
            vpc: text(instance.vpc_id()),
            public: text(instance.public_ip_address()),
            private: text(instance.private_ip_address()),
            ipv6: text(instance.ipv6_address()).or_else(|| {
                interface.and_then(|nic| nic.ipv6_addresses().first()).and_then(|ip| text(ip.ipv6_address()))
            }),
            // `hypervisor` is unreliable, so the type decides.
            nitro: nitro(instance.instance_type().map_or("", |kind| kind.as_str())),
            spot: instance.instance_lifecycle() == Some(&ec2::InstanceLifecycleType::Spot),
            interface: interface.and_then(|nic| text(nic.network_interface_id())),
            groups: instance.security_groups().iter().filter_map(|group| text(group.group_name())).collect(),
            volumes: instance
                .block_device_mappings()
                .iter()
                .filter_map(|mapping| Some((mapping.device_name()?.to_owned(), mapping.ebs()?.volume_id()?.to_owned())))
                .collect(),
            root_device: text(instance.root_device_name()),
            launched: instance.launch_time().and_then(|time| Timestamp::from_second(time.secs()).ok()),
            tags: instance
                .tags()
                .iter()
                .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
                .collect(),
        }
    }
}

impl Instance {
    /// True when the instance is in a security group that a bake created.
    pub(super) fn in_own_group(&self) -> bool {
        self.groups.iter().any(|group| group.starts_with(GROUP_PREFIX))
    }

    /// An instance about which only the ID is known.
    pub(super) fn unknown(id: &str) -> Self {
        Self::from(&ec2::Instance::builder().instance_id(id).build())
    }
}

/// True for types on the Nitro hypervisor. EC2 answers `xen` as hypervisor for Nitro instances too, so the type
/// decides: the listed families are all that run on Xen
/// (<https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-nitro-instances.html>).
pub(super) fn nitro(kind: &str) -> bool {
    const XEN: [&str; 18] =
        ["a0", "c1", "c3", "c4", "d2", "f1", "g2", "g3", "g3s", "h1", "i2", "i3", "m1", "m2", "m3", "m4", "p2", "p3"];
    const XEN_TOO: [&str; 7] = ["r3", "r4", "t1", "t2", "x1", "x1e", "cc2"];
    let Some((family, size)) = kind.split_once('.') else { return false };
    // Bare metal instances of a Xen family run on Nitro cards.
    size.starts_with("metal") || !(XEN.contains(&family) || XEN_TOO.contains(&family))
}

/// The poller for all instances.
pub(super) fn poller(client: &Arc<Client>) -> Poller<Instance> {
    client::poller(client, Timing { interval: INTERVAL, eager: None }, states)
}

/// The state of each instance that EC2 knows. A filter instead of an ID list: one ID that is not known yet would fail
/// the whole request.
async fn states(client: Arc<Client>, ids: Vec<String>) -> PollAnswer<Instance> {
    let mut found = HashMap::new();
    for ids in ids.chunks(BATCH) {
        for instance in describe(&client, vec![one_of("instance-id", ids)], "watch the machines").await? {
            found.insert(instance.id.clone(), instance);
        }
    }
    Ok(found)
}

/// All instances that match the filters, from all pages.
pub(crate) async fn describe(client: &Client, filters: Vec<ec2::Filter>, doing: &str) -> Result<Vec<Instance>> {
    let filters = &filters;
    pages(|page| async move {
        let request = client
            .ec2
            .describe_instances()
            .set_filters(Some(filters.clone()))
            // With a page size the call has the larger quota (100/20 instead of 50/10).
            .max_results(1000)
            .set_next_token(page);
        let answer = client.call("DescribeInstances", doing, request.send()).await?;
        let all = answer.reservations().iter().flat_map(ec2::Reservation::instances).map(Instance::from);
        Ok((all.collect(), answer.next_token.clone()))
    })
    .await
}

/// The instance that was launched with this client token, if there is one.
pub(super) async fn by_token(client: &Client, token: &str) -> Result<Option<Instance>> {
    let found =
        describe(client, vec![filter("client-token", token)], "find the machine of an unanswered request").await?;
    Ok(found.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xen_types_are_distinguished_from_nitro() {
        for kind in ["t3.small", "m5.large", "t4g.small", "c7gn.xlarge", "i3.metal", "c5.metal"] {
            assert!(nitro(kind), "{kind}");
        }
        for kind in ["t2.micro", "m4.large", "i3.large", "x1e.xlarge", ""] {
            assert!(!nitro(kind), "{kind}");
        }
    }
}
