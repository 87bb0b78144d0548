//! The network of a machine: subnets, security group, ingress rules.

use ami_bake_core::plan::{AddressKind, MachineSettings};
use ami_bake_core::{Error, Result, Run};
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, ResourceType, Subnet};

use super::ingress;
use super::instance::GROUP_PREFIX;
use super::machines::Machines;
use super::run_state::GroupKey;
use super::subnets;
use crate::client::ledger::{PLATFORM, SECURITY_GROUP};
use crate::client::{Client, filter, hash, until_visible};
use crate::image::{LIFETIME, created, specification};

/// Subnets and security groups for a launch.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// Subnets in the order in which they are tried; `None` lets EC2 choose in the default VPC.
    pub(super) subnets: Vec<Option<String>>,
    /// Security groups of the machine.
    pub(super) groups: Vec<String>,
    /// ID of the group that the run created, if it did.
    pub(super) own: Option<String>,
    /// Addresses and port to allow in the run's own group.
    ingress: Option<GroupKey>,
}

/// Finds the subnets, and creates the run's security group if the manifest names none.
pub(super) async fn prepare(machines: &Machines, run: &Run, settings: &MachineSettings) -> Result<Network> {
    if !settings.security_groups.is_empty() {
        let found = subnets::find(machines.client(), settings).await?;
        return Ok(Network {
            subnets: subnets::choices(&found),
            groups: settings.security_groups.clone(),
            own: None,
            ingress: None,
        });
    }
    let located = subnets::locate(machines.client(), settings);
    let ((found, vpc), cidrs) = futures::try_join!(located, cidrs(machines, run, settings))?;
    let subnets = subnets::choices(&found);
    let cidrs = match cidrs {
        Some(cidrs) => cidrs,
        None => inside(machines.client(), vpc.as_deref()).await?,
    };
    let ports = settings.connect.outside.clone().unwrap_or_else(|| vec![settings.connect.port.unwrap_or(22)]);
    let key = GroupKey { vpc, cidrs, ports };
    let state = machines.runs.of(run);
    let group = state.groups.get(key.clone(), group(machines.client(), run, &key)).await?;
    Ok(Network { subnets, groups: vec![group.clone()], own: Some(group), ingress: Some(key) })
}

/// Allows the runner's address in the run's group. No machine waits for it: it is done while the machine starts.
pub(super) async fn open(machines: &Machines, run: &Run, network: &Network) -> Result<()> {
    let (Some(group), Some(key)) = (&network.own, &network.ingress) else { return Ok(()) };
    let state = machines.runs.of(run);
    state.opened.get(key.clone(), authorize(machines.client(), run, key, group)).await
}

/// The default VPC's subnets, one per zone, for when EC2's own choice has no capacity.
pub(super) async fn default_subnets(client: &Client) -> Result<Vec<Option<String>>> {
    let request = client.ec2.describe_subnets().filters(filter("default-for-az", "true")).send();
    let answer = client.call("DescribeSubnets", "list the default subnets", request).await?;
    Ok(answer.subnets().iter().filter_map(Subnet::subnet_id).map(|id| Some(id.to_owned())).collect())
}

/// ID of the VPC's default group.
pub(super) async fn default_group(machines: &Machines, run: &Run, vpc: &str) -> Result<String> {
    let state = machines.runs.of(run);
    let find = async {
        let client = machines.client();
        let request = client
            .ec2
            .describe_security_groups()
            .filters(filter("group-name", "default"))
            .filters(filter("vpc-id", vpc))
            .send();
        let answer =
            client.call("DescribeSecurityGroups", &format!("find the default group of {vpc}"), request).await?;
        let id = answer.security_groups().first().and_then(|group| group.group_id()).map(str::to_owned);
        id.ok_or_else(|| Error::build(format!("{vpc} has no default security group")))
    };
    state.defaults.get(vpc.to_owned(), find).await
}

/// Address ranges that may connect to the machine; `None` when it is reached from inside its VPC.
async fn cidrs(machines: &Machines, run: &Run, settings: &MachineSettings) -> Result<Option<Vec<String>>> {
    if !settings.ingress.is_empty() {
        let mut cidrs = settings.ingress.clone();
        cidrs.sort();
        cidrs.dedup();
        return Ok(Some(cidrs));
    }
    // Through a jump host or on its private address the machine sees an address of its own network.
    if settings.connect.jump.is_some() || settings.connect.address == Some(AddressKind::Private) {
        return Ok(None);
    }
    if settings.connect.address == Some(AddressKind::Ipv6) {
        return Ok(Some(vec![ingress::own_ipv6()?]));
    }
    let mut cidrs = vec![ingress::own(machines, run).await?];
    // A machine without a public IPv4 address is reached at its IPv6 address.
    if settings.connect.address.is_none() && settings.public_ip != Some(true) {
        cidrs.extend(ingress::public_ipv6().filter(|own| !cidrs.contains(own)));
    }
    Ok(Some(cidrs))
}

/// The address ranges of the VPC.
async fn inside(client: &Client, vpc: Option<&str>) -> Result<Vec<String>> {
    let request = client.ec2.describe_vpcs();
    let request = match vpc {
        Some(vpc) => request.vpc_ids(vpc),
        None => request.filters(filter("is-default", "true")),
    };
    let answer = client.call("DescribeVpcs", "read the CIDR blocks of the VPC", request.send()).await?;
    let blocks: Vec<String> = answer
        .vpcs()
        .iter()
        .flat_map(aws_sdk_ec2::types::Vpc::cidr_block_association_set)
        .filter_map(|block| block.cidr_block().map(str::to_owned))
        .chain(answer.vpcs().iter().filter_map(|vpc| vpc.cidr_block().map(str::to_owned)))
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    if blocks.is_empty() {
        return Err(Error::preflight(format!("the VPC of the bake in {} has no CIDR block", client.region()))
            .help("Set who may connect with `machine: {ingress: [CIDR]}`."));
    }
    Ok(blocks)
}

async fn group(client: &Client, run: &Run, key: &GroupKey) -> Result<String> {
    let name = group_name(run.id(), key);
    let tags = created(run, &name, None, None, LIFETIME);
    let ticket = run.ledger().intend(PLATFORM, SECURITY_GROUP, Some(client.region()), &name)?;
    let request = client
        .ec2
        .create_security_group()
        .group_name(&name)
        .description(format!("SSH to the machines of the ami-bake run {}", run.id()))
        .set_vpc_id(key.vpc.clone())
        .tag_specifications(specification(ResourceType::SecurityGroup, &tags))
        .send();
    let id = match client.ask("CreateSecurityGroup", request).await {
        Ok(answer) => answer.group_id.unwrap_or_default(),
        // The answer was lost and the SDK retried; the name contains the run's random ID.
        Err(failure) if failure.is(&["InvalidGroup.Duplicate"]) => find_group(client, &name).await?.unwrap_or_default(),
        Err(failure) => {
            let no_vpc = failure.is(&["VPCIdNotSpecified"]) || failure.text().contains("No default VPC");
            let doing = format!("create the security group {name}");
            let error = client.not_created(run, ticket, *failure, &doing).await;
            if no_vpc {
                return Err(Error::preflight(format!("this account has no default VPC in {}", client.region()))
                    .help("Set a subnet with `machine: {subnet: subnet-…}`."));
            }
            return Err(error);
        }
    };
    run.ledger().confirm(ticket, &id);
    Ok(id)
}

async fn authorize(client: &Client, run: &Run, key: &GroupKey, id: &str) -> Result<()> {
    let permissions = permissions(key);
    // A machine that nobody connects to.
    if permissions.is_empty() {
        return Ok(());
    }
    let answer = until_visible(
        run,
        |failure| failure.is(&["InvalidGroup.NotFound"]),
        || {
            let request = client
                .ec2
                .authorize_security_group_ingress()
                .group_id(id)
                .set_ip_permissions(Some(permissions.clone()))
                .send();
            client.ask("AuthorizeSecurityGroupIngress", request)
        },
    )
    .await;
    match answer {
        Ok(_) => Ok(()),
        Err(failure) if failure.is(&["InvalidPermission.Duplicate"]) => Ok(()),
        Err(failure) => {
            let doing = format!("allow {} in the security group {id}", key.cidrs.join(", "));
            Err(client.explain(*failure, &doing).await)
        }
    }
}

/// ID of the run's group with this name.
pub(super) async fn find_group(client: &Client, name: &str) -> Result<Option<String>> {
    let request = client.ec2.describe_security_groups().filters(filter("group-name", name)).send();
    let answer = client.call("DescribeSecurityGroups", &format!("find the security group {name}"), request).await?;
    Ok(answer.security_groups().first().and_then(|group| group.group_id()).map(str::to_owned))
}

fn permissions(key: &GroupKey) -> Vec<IpPermission> {
    key.ports.iter().map(|port| permission(key, *port)).collect()
}

fn permission(key: &GroupKey, port: u16) -> IpPermission {
    let mut permission = IpPermission::builder().ip_protocol("tcp").from_port(i32::from(port)).to_port(i32::from(port));
    for cidr in &key.cidrs {
        let about = "ami-bake";
        permission = if cidr.contains(':') {
            permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).description(about).build())
        } else {
            permission.ip_ranges(IpRange::builder().cidr_ip(cidr).description(about).build())
        };
    }
    permission.build()
}

/// A unique name for each group of a run: bakes with other ingress rules need another group in the same VPC.
fn group_name(run: &str, key: &GroupKey) -> String {
    format!("{GROUP_PREFIX}{run}-{}", hash(&format!("{key:?}"), 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(cidrs: &[&str]) -> GroupKey {
        GroupKey { vpc: None, cidrs: cidrs.iter().map(|cidr| (*cidr).to_owned()).collect(), ports: vec![2222] }
    }

    #[test]
    fn both_families_are_allowed_on_the_port_alone() {
        let permission = &permissions(&key(&["203.0.113.7/32", "2001:db8::1/128"]))[0];
        assert_eq!((permission.from_port(), permission.to_port()), (Some(2222), Some(2222)));
        assert_eq!(permission.ip_ranges()[0].cidr_ip(), Some("203.0.113.7/32"));
        assert_eq!(permission.ipv6_ranges()[0].cidr_ipv6(), Some("2001:db8::1/128"));
    }

    #[test]
    fn groups_of_one_run_have_names_of_their_own() {
        let name = group_name("r", &key(&["203.0.113.7/32"]));
        assert_eq!(name, group_name("r", &key(&["203.0.113.7/32"])));
        assert_ne!(name, group_name("r", &key(&["203.0.113.8/32"])));
        assert!(!name.starts_with("sg-"), "EC2 forbids it");
    }
}
