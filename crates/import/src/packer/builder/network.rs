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
    if let Some(vpc) = reader.get("vpc_id") {
        if machine.get("subnet").is_some() {
            vpc.drop("the subnet determines the VPC", "");
        } else {
            vpc.drop("a VPC without a subnet is not supported", "Set `machine.subnet` to one of its subnets.");
        }
    }
    for key in ["subnet_filter", "vpc_filter", "security_group_filter"] {
        if let Some(filter) = reader.get(key) {
            filter.drop(
                "filters for networks are not supported",
                "Set `machine.subnet` and `machine.security-groups` to IDs.",
            );
        }
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

fn connection(reader: &Reader, context: &Context, connect: &mut Map) {
    if let Some(interface) = reader.get("ssh_interface")
        && let Some(words) = context.plain(&interface)
    {
        match context.settled(&words, &interface).as_deref() {
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
