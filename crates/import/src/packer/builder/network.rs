//! Converts the network of the machine, and the connection to it.

use crate::context::Context;
use crate::input::Reader;
use crate::yaml::Map;

pub(super) fn read(reader: &Reader, context: &Context, map: &mut Map) {
    map.within("machine", |machine| {
        placed(reader, context, machine);
        let mut connect = Map::default();
        connection(reader, context, &mut connect);
        jump(reader, context, &mut connect);
        machine.set_filled("connect", connect);
    });
}

fn placed(reader: &Reader, context: &Context, machine: &mut Map) {
    context.set(machine, "subnet", reader.get("subnet_id"), Context::text);
    subnet(reader, context, machine);
    if let Some(filter) = reader.get("security_group_filter") {
        filter.drop("filters for security groups are not supported", "Set `machine.security-groups` to IDs.");
    }
    for key in ["security_group_ids", "security_group_id"] {
        context.set(machine, "security-groups", reader.get(key), Context::texts_of);
    }
    context.set(machine, "public-ip", reader.get("associate_public_ip_address"), Context::switch);
    let ranges = reader.first(&["temporary_security_group_source_cidrs", "temporary_security_group_source_cidr"]);
    context.set(machine, "ingress", ranges, Context::texts_of);
    if let Some(own) = reader.get("temporary_security_group_source_public_ip")
        && context.flag(&own) == Some(false)
    {
        own.changed(
            "only the runner's own address can connect to the machine, unless `machine.ingress` allows more",
            "",
        );
    }
}

/// The subnets that a filter or the VPC finds, unless the template names one.
fn subnet(reader: &Reader, context: &Context, machine: &mut Map) {
    let [filter, vpc, own] = ["subnet_filter", "vpc_filter", "vpc_id"].map(|key| reader.get(key));
    if machine.get("subnet").is_some() {
        for field in [filter, vpc, own].into_iter().flatten() {
            field.drop("the subnet is given by `subnet_id`", "");
        }
        return;
    }
    let Some(subnet) = found(context, filter.as_ref(), vpc.as_ref(), own.as_ref()) else {
        // What remains of the filters would find other networks.
        let rest = [filter, vpc, own].into_iter().flatten();
        for field in rest.filter(|field| !field.log().lost(field.location())) {
            field.drop("the network filter that belongs to it is not imported", HELP);
        }
        return;
    };
    let random = |field: &Reader| field.get("random").is_some_and(|random| context.flag(&random) == Some(true));
    let most_free = |field: &Reader| field.get("most_free").is_some_and(|free| context.flag(&free) == Some(true));
    match (&filter, vpc.as_ref().or(own.as_ref())) {
        (Some(field), _) if random(field) || !most_free(field) => {
            field.changed("all subnets that match are tried, the one with the most free addresses first", "");
        }
        (None, Some(place)) if !subnet.is_empty() => {
            place.changed("all subnets of the VPC are tried, the one with the most free addresses first", "");
        }
        _ => {}
    }
    if let Some(place) = filter.or(vpc).or(own).filter(|_| !subnet.is_empty()) {
        machine.set_from("subnet", subnet, &place);
    }
}

/// The value of `machine.subnet`; none when a filter can't be imported, which is reported.
fn found(context: &Context, filter: Option<&Reader>, vpc: Option<&Reader>, own: Option<&Reader>) -> Option<Map> {
    let mut subnet = Map::default();
    if let Some(field) = filter {
        let found = matching(field, context, "vpc-id")?;
        subnet.set_filled("tags", found.tags);
        if let Some((id, from)) = found.id {
            subnet.set_from("vpc", id, &from);
        }
    }
    if subnet.get("vpc").is_none() {
        if let Some(value) = own.and_then(|own| context.text(own)) {
            if let Some(from) = own {
                subnet.set_from("vpc", value, from);
            }
        } else if let Some(field) = vpc {
            let found = matching(field, context, "vpc-id")?;
            match found.id {
                Some((id, from)) => subnet.set_from("vpc", id, &from),
                None => subnet.within("vpc", |vpc| vpc.set_filled("tags", found.tags)),
            }
        }
    }
    Some(subnet)
}

/// What to do where a filter can't be imported.
const HELP: &str = "Set `machine.subnet` to IDs, or to a filter by tags.";

/// What a filter of networks looks for.
struct NetworkFilter<'a> {
    tags: Map,
    id: Option<(String, Reader<'a>)>,
}

/// A filter; none when a part of it has no counterpart, which is reported: the rest would find other networks.
fn matching<'a>(field: &Reader<'a>, context: &Context, id: &str) -> Option<NetworkFilter<'a>> {
    let mut found = NetworkFilter { tags: Map::default(), id: None };
    for (key, value) in field.get("filters").iter().flat_map(Reader::items).flat_map(|map| map.entries()) {
        let Some(words) = context.plain(&value) else { continue };
        match key.strip_prefix("tag:") {
            Some(tag) => found.tags.set_from(tag, words.manifest(), &value),
            None if key == id => found.id = Some((words.manifest(), value)),
            None => {
                field.drop(format!("the filter `{key}` of networks is not supported"), HELP);
                return None;
            }
        }
    }
    if field.log().lost(&field.location().key("filters")) {
        field.drop("a part of the filter is not imported, so it would find other networks", HELP);
        return None;
    }
    Some(found)
}

fn connection(reader: &Reader, context: &Context, connect: &mut Map) {
    if let Some(interface) = reader.get("ssh_interface")
        && let Some(words) = context.plain(&interface)
    {
        match Context::settled(&words, &interface).as_deref() {
            Some("public_ip" | "public_dns") => connect.set_from("address", "public", &interface),
            Some("private_ip" | "private_dns") => connect.set_from("address", "private", &interface),
            Some("ipv6") => connect.set_from("address", "ipv6", &interface),
            Some("session_manager") => interface.drop(
                "ami-bake does not connect through Session Manager: it needs an SSH connection to the machine",
                "Bake on a runner in the same network with `machine.connect.address: private`, or set `machine.connect.jump`.",
            ),
            _ => interface.drop(
                "its value is not supported or only known during the bake",
                "Set `machine.connect.address` to `public`, `private` or `ipv6`.",
            ),
        }
    }
    if let Some(port) = reader.get("ssh_port")
        && let Some(value) = context.number(&port)
    {
        // 22 is the manifest's default.
        if value != crate::yaml::Value::Raw("22".to_owned()) {
            connect.set_from("port", value, &port);
        }
    }
    context.set(connect, "pty", reader.get("ssh_pty"), Context::switch);
    if let Some(kind) = reader.get("temporary_key_pair_type")
        && let Some(words) = context.plain(&kind)
    {
        match words.known().as_deref() {
            Some(known @ ("ed25519" | "ecdsa" | "rsa")) => connect.set_from("key-type", known.to_owned(), &kind),
            _ => kind.drop(
                "the type of the key pair is not supported",
                "Set `machine.connect.key-type` to `ed25519`, `ecdsa` or `rsa`.",
            ),
        }
    }
    for key in ["ssh_timeout", "ssh_wait_timeout"] {
        context.set(connect, "timeout", reader.get(key), Context::duration);
    }
}

fn jump(reader: &Reader, context: &Context, connect: &mut Map) {
    let Some(host) = reader.get("ssh_bastion_host") else { return };
    let Some(value) = context.text(&host) else { return };
    let mut jump = Map::default();
    jump.set_from("host", value, &host);
    context.set(&mut jump, "port", reader.get("ssh_bastion_port"), Context::number);
    context.set(&mut jump, "user", reader.get("ssh_bastion_username"), Context::text);
    if let Some(key) = reader.get("ssh_bastion_private_key_file")
        && let Some(value) = context.path(&key)
    {
        jump.set_from("key", value, &key);
    }
    if jump.get("user").is_none() {
        host.drop("the jump host has no user name", "Write `machine.connect.jump` by hand.");
        return;
    }
    // Packer never verifies the jump host's key, which a manifest must state explicitly.
    jump.set("host-key", "accept-new");
    host.changed(
        "any host key of the jump host is accepted, as Packer does",
        "Set `machine.connect.jump.host-key` to its key.",
    );
    connect.set_from("jump", jump, &host);
}
