//! Functions for IP networks (go-cty-funcs, `cidr`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::arguments::Arguments;
use crate::hcl::error::EvalResult;
use crate::hcl::value::HclValue;

pub(super) fn call(all: &Arguments, name: &str) -> Option<EvalResult<HclValue>> {
    Some(match name {
        "cidrhost" => host(all),
        "cidrnetmask" => network(all).map(|network| HclValue::text(network.address(network.mask()))),
        "cidrsubnet" => subnet(all),
        "cidrsubnets" => subnets(all),
        _ => return None,
    })
}

/// A network: its address with the host bits clear, the length of its prefix, and the length of its addresses in bits.
#[derive(Clone, Copy)]
struct Network {
    address: u128,
    prefix: u32,
    bits: u32,
}

impl Network {
    fn new(address: u128, prefix: u32, bits: u32) -> Self {
        let network = Self { address, prefix, bits };
        Self { address: address & network.mask(), ..network }
    }

    /// Mask of the host bits.
    fn hosts(self) -> u128 {
        match self.bits - self.prefix {
            128 => u128::MAX,
            bits => (1 << bits) - 1,
        }
    }

    fn mask(self) -> u128 {
        let all = if self.bits == 128 { u128::MAX } else { (1 << self.bits) - 1 };
        all & !self.hosts()
    }

    #[expect(clippy::cast_possible_truncation, reason = "addresses of 32 bits are no larger")]
    fn address(self, address: u128) -> String {
        if self.bits == 32 { Ipv4Addr::from(address as u32).to_string() } else { Ipv6Addr::from(address).to_string() }
    }

    fn shown(self) -> String {
        format!("{}/{}", self.address(self.address), self.prefix)
    }

    /// A subnet with a longer prefix.
    fn part(self, more: u32, number: u128) -> Option<Self> {
        let prefix = self.prefix.checked_add(more).filter(|prefix| *prefix <= self.bits)?;
        if more < 128 && number >> more != 0 {
            return None;
        }
        let shift = self.bits - prefix;
        let offset = if shift == 128 { 0 } else { number << shift };
        Some(Self { address: self.address | offset, prefix, ..self })
    }
}

fn network(all: &Arguments) -> EvalResult<Network> {
    let text = all.string(0)?;
    let parsed = text.split_once('/').and_then(|(address, prefix)| {
        let prefix: u32 = prefix.parse().ok()?;
        let (address, bits) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        (prefix <= bits).then(|| Network::new(address, prefix, bits))
    });
    parsed.ok_or_else(|| all.invalid("not a network such as `10.0.0.0/16`"))
}

/// An argument that is a whole number.
fn whole(all: &Arguments, index: usize) -> EvalResult<i64> {
    let number = all.number(index)?;
    #[expect(clippy::cast_possible_truncation, reason = "checked before")]
    let whole = (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    whole.ok_or_else(|| all.invalid("expected a whole number"))
}

/// The address with this number in a network; negative numbers count from its end.
fn host(all: &Arguments) -> EvalResult<HclValue> {
    let (network, number) = (network(all)?, whole(all, 1)?);
    let size = network.hosts();
    let host = if number < 0 {
        size.checked_sub(u128::from(number.unsigned_abs()) - 1)
    } else {
        Some(u128::from(number.unsigned_abs())).filter(|host| *host <= size)
    };
    let host = host.ok_or_else(|| all.invalid("the network has no such address"))?;
    Ok(HclValue::text(network.address(network.address | host)))
}

fn subnet(all: &Arguments) -> EvalResult<HclValue> {
    let (network, more, number) = (network(all)?, whole(all, 1)?, whole(all, 2)?);
    let part = u32::try_from(more).ok().zip(u128::try_from(number).ok());
    let part = part.and_then(|(more, number)| network.part(more, number));
    part.map(|part| HclValue::text(part.shown())).ok_or_else(|| all.invalid("the network has no such part"))
}

/// Consecutive subnets, each at the next address that its size allows.
fn subnets(all: &Arguments) -> EvalResult<HclValue> {
    let network = network(all)?;
    let mut next: Option<u128> = Some(network.address);
    let mut parts = Vec::new();
    for index in 1..all.values.len() {
        let wrong = || all.invalid("the network has no room for these parts");
        let prefix = u32::try_from(whole(all, index)?).ok().and_then(|more| network.prefix.checked_add(more));
        let prefix = prefix.filter(|prefix| *prefix <= network.bits).ok_or_else(wrong)?;
        let mut part = Network::new(0, prefix, network.bits);
        let size = part.hosts();
        // The next address with all host bits clear.
        let start = next.and_then(|next| next.checked_add(size)).ok_or_else(wrong)? & !size;
        let end = start.checked_add(size).ok_or_else(wrong)?;
        if end & network.mask() != network.address {
            return Err(wrong());
        }
        part.address = start;
        next = end.checked_add(1);
        parts.push(HclValue::text(part.shown()));
    }
    Ok(HclValue::List(parts))
}
