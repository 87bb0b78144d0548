//! The subnets of a machine: those that the manifest names, or that its filter finds.

use std::collections::{BTreeMap, BTreeSet};

use ami_bake_core::plan::{MachineSettings, SubnetFilter, VpcFilter};
use ami_bake_core::{Error, Result};
use aws_sdk_ec2::types::{Filter, Subnet, Vpc};

use crate::client::{Client, filter, one_of, pages};

/// The ID of a subnet, and of its VPC as far as it was looked up.
pub(crate) struct FoundSubnet {
    /// ID of the subnet.
    pub(crate) id: String,
    vpc: Option<String>,
}

/// The subnets in the order in which they are tried. None in the default VPC. Those that are named are not looked up.
pub(crate) async fn find(client: &Client, settings: &MachineSettings) -> Result<Vec<FoundSubnet>> {
    match &settings.subnet_filter {
        None => Ok(settings.subnets.iter().map(|id| FoundSubnet { id: id.clone(), vpc: None }).collect()),
        Some(filter) => matching(client, filter).await,
    }
}

/// The subnets and their VPC; none in the default VPC.
///
/// # Errors
/// When one does not exist, when none matches, or when they are in several VPCs.
pub(super) async fn locate(client: &Client, settings: &MachineSettings) -> Result<(Vec<FoundSubnet>, Option<String>)> {
    let found =
        if settings.subnets.is_empty() { find(client, settings).await? } else { named(client, settings).await? };
    let vpcs: BTreeSet<&str> = found.iter().filter_map(|subnet| subnet.vpc.as_deref()).collect();
    match vpcs.iter().copied().collect::<Vec<_>>().as_slice() {
        [] => Ok((found, None)),
        [vpc] => {
            let vpc = (*vpc).to_owned();
            Ok((found, Some(vpc)))
        }
        several => {
            let ids: Vec<&str> = found.iter().map(|subnet| subnet.id.as_str()).collect();
            let help = match &settings.subnet_filter {
                None => "A security group belongs to one VPC. Use subnets of one VPC, or existing `security-groups`.",
                Some(_) => {
                    "A security group belongs to one VPC. Add `vpc` to `machine: {subnet: …}`, or use existing \
                     `security-groups`."
                }
            };
            Err(Error::preflight(format!(
                "the subnets {} are in several VPCs ({})",
                ids.join(", "),
                several.join(", ")
            ))
            .help(help))
        }
    }
}

/// What is tried at a launch; `None` lets EC2 choose in the default VPC.
pub(super) fn choices(found: &[FoundSubnet]) -> Vec<Option<String>> {
    if found.is_empty() { vec![None] } else { found.iter().map(|subnet| Some(subnet.id.clone())).collect() }
}

/// The named subnets with their VPC.
async fn named(client: &Client, settings: &MachineSettings) -> Result<Vec<FoundSubnet>> {
    let ids = settings.subnets.join(", ");
    let request = client.ec2.describe_subnets().set_subnet_ids(Some(settings.subnets.clone())).send();
    let answer = match client.ask("DescribeSubnets", request).await {
        Ok(answer) => answer,
        Err(failure) if failure.not_found() || failure.is(&["InvalidSubnetID.Malformed", "InvalidSubnet"]) => {
            return Err(Error::preflight(format!("subnet {ids} not found in {}: {}", client.region(), failure.text()))
                .help("Subnet IDs belong to one region and account. Correct `machine: {subnet: …}`, or remove it to use the default VPC."));
        }
        Err(failure) => return Err(client.explain(*failure, &format!("look up the subnets {ids}")).await),
    };
    let vpc = |id: &String| {
        let subnet = answer.subnets().iter().find(|subnet| subnet.subnet_id() == Some(id))?;
        subnet.vpc_id().map(str::to_owned)
    };
    Ok(settings.subnets.iter().map(|id| FoundSubnet { id: id.clone(), vpc: vpc(id) }).collect())
}

/// All subnets that match, those with the most free addresses first: where a launch is least likely to be refused.
async fn matching(client: &Client, wanted: &SubnetFilter) -> Result<Vec<FoundSubnet>> {
    let vpc = match &wanted.vpc {
        None => None,
        Some(VpcFilter::Id(id)) => Some(id.clone()),
        Some(VpcFilter::Tags(tags)) => Some(vpc(client, tags).await?),
    };
    let mut filters: Vec<Filter> = by_tags(&wanted.tags);
    filters.push(filter("state", "available"));
    filters.extend(vpc.as_deref().map(|vpc| filter("vpc-id", vpc)));
    let filters = &filters;
    let mut subnets: Vec<Subnet> = pages(|page| async move {
        let request = client.ec2.describe_subnets().set_filters(Some(filters.clone())).set_next_token(page);
        let answer = client.call("DescribeSubnets", "look up the subnets of `machine.subnet`", request.send()).await?;
        Ok((answer.subnets().to_vec(), answer.next_token().map(str::to_owned)))
    })
    .await?;
    // The ID decides between equals, so that the order does not depend on the answer's.
    subnets.sort_by(|a, b| {
        let free = |subnet: &Subnet| subnet.available_ip_address_count().unwrap_or_default();
        free(b).cmp(&free(a)).then_with(|| a.subnet_id().cmp(&b.subnet_id()))
    });
    let found =
        subnets.into_iter().filter_map(|subnet| Some(FoundSubnet { id: subnet.subnet_id?, vpc: subnet.vpc_id }));
    let found: Vec<FoundSubnet> = found.collect();
    if found.is_empty() {
        let with = if wanted.tags.is_empty() { String::new() } else { format!(" with {}", listed(&wanted.tags)) };
        let inside = vpc.map_or_else(|| client.region().to_owned(), |vpc| format!("{vpc} ({})", client.region()));
        return Err(Error::preflight(format!("no subnet{with} in {inside}"))
            .help("Correct `machine: {subnet: …}`. Tags are case-sensitive and belong to the account that set them."));
    }
    Ok(found)
}

/// The only VPC with these tags.
async fn vpc(client: &Client, tags: &BTreeMap<String, String>) -> Result<String> {
    let filters = &by_tags(tags);
    let found: Vec<Vpc> = pages(|page| async move {
        let request = client.ec2.describe_vpcs().set_filters(Some(filters.clone())).set_next_token(page);
        let answer = client.call("DescribeVpcs", "look up the VPC of `machine.subnet`", request.send()).await?;
        Ok((answer.vpcs().to_vec(), answer.next_token().map(str::to_owned)))
    })
    .await?;
    let mut ids: Vec<String> = found.into_iter().filter_map(|vpc| vpc.vpc_id).collect();
    ids.sort_unstable();
    match ids.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(Error::preflight(format!("no VPC with {} in {}", listed(tags), client.region())).help(
            "Correct `machine: {subnet: {vpc: …}}`. Tags are case-sensitive and belong to the account that set them.",
        )),
        _ => Err(Error::preflight(format!("{} VPCs have {} ({})", ids.len(), listed(tags), ids.join(", ")))
            .help("Add tags below `machine: {subnet: {vpc: …}}` until one is left, or name its ID.")),
    }
}

fn by_tags(tags: &BTreeMap<String, String>) -> Vec<Filter> {
    tags.iter().map(|(key, value)| one_of(&format!("tag:{key}"), [value])).collect()
}

/// Tags in words.
fn listed(tags: &BTreeMap<String, String>) -> String {
    let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("the tag{} {}", if tags.len() == 1 { "" } else { "s" }, tags.join(", "))
}
