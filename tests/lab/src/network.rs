//! A bridge per lab, and a subnet that nothing on this host uses.
//!
//! The bridge is the claim: it is made, with its address, while a lock of the whole host is held, and whoever looks
//! for a free subnet next sees that address. The host has `.1`, the machines have `.11`, `.12` and so on. Beside it
//! goes a subnet of IPv6 by the same number, with `::1`, `::b`, `::c` and so on.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::command::ip;
use crate::places;

/// Of the whole host, whatever `TOWLINE_LAB_RUN` says; `host.sh` keeps the saved settings there, too.
const HOST_AREA: &str = "/run/towline-lab";

/// A route to more than this is a way to the world, not a use of our subnet: ours is more specific and wins.
const BROAD: u8 = 15;

/// The network of one lab, `10.77.<number>.0/24` and `fd77:<number>::/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    number: u8,
}

impl Network {
    pub(crate) fn numbered(number: u8) -> Self {
        Self { number }
    }

    pub(crate) fn number(self) -> u8 {
        self.number
    }

    /// The host's own address in it, and the machines' default route.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 1)
    }

    /// The address of the machine with this index, which counts from 0.
    pub(crate) fn address(self, index: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 11 + index)
    }

    /// The same of IPv6.
    pub(crate) fn gateway6(self) -> Ipv6Addr {
        self.host6(1)
    }

    pub(crate) fn address6(self, index: u8) -> Ipv6Addr {
        self.host6(11 + u16::from(index))
    }

    fn host6(self, host: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfd77, self.number.into(), 0, 0, 0, 0, 0, host)
    }

    /// Finds a free subnet and makes the lab's bridge in it.
    pub(crate) fn claim(id: &str) -> Result<Self> {
        fs::create_dir_all(HOST_AREA)?;
        let _lock = places::lock(&Path::new(HOST_AREA).join("network.lock"))?;
        let used = used_blocks()?;
        let Some(network) = (1..=254)
            .map(Self::numbered)
            .find(|network| !used.iter().any(|block| block.overlaps(network.block())))
        else {
            bail!(
                "every subnet from 10.77.1.0/24 to 10.77.254.0/24 is in use on this host: see `ip route`, `towline-lab list`"
            );
        };
        let bridge = bridge(id);
        ip(&format!("link add {bridge} type bridge"))?;
        ip(&format!(
            "address add {}/24 dev {bridge}",
            network.gateway()
        ))?;
        // As containers have it where their network has none.
        fs::write(
            format!("/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6"),
            "0",
        )?;
        ip(&format!(
            "address add {}/64 dev {bridge} nodad",
            network.gateway6()
        ))?;
        ip(&format!("link set {bridge} up"))?;
        Ok(network)
    }

    fn block(self) -> Block {
        Block {
            first: Ipv4Addr::new(10, 77, self.number, 0),
            length: 24,
        }
    }
}

/// The name of a lab's bridge.
pub(crate) fn bridge(id: &str) -> String {
    format!("tl{id}")
}

/// Whether the lab's bridge is there; it is gone when the host was rebooted.
pub(crate) fn has_bridge(id: &str) -> bool {
    Path::new("/sys/class/net").join(bridge(id)).exists()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    first: Ipv4Addr,
    length: u8,
}

impl Block {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/').unwrap_or((text, "32"));
        Some(Self {
            first: address.parse().ok()?,
            length: length.parse().ok()?,
        })
    }

    fn overlaps(self, other: Self) -> bool {
        let shared = self.length.min(other.length).min(32);
        let mask = u32::MAX.checked_shl(32 - u32::from(shared)).unwrap_or(0);
        self.first.to_bits() & mask == other.first.to_bits() & mask
    }
}

/// Every block that an address or a route of this host names.
fn used_blocks() -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let addresses: Value = serde_json::from_str(&ip("-json -4 address show")?)?;
    for address in addresses
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|link| link["addr_info"].as_array())
        .flatten()
    {
        if let (Some(local), Some(length)) =
            (address["local"].as_str(), address["prefixlen"].as_u64())
        {
            blocks.extend(Block::parse(&format!("{local}/{length}")));
        }
    }
    let routes: Value = serde_json::from_str(&ip("-json -4 route show table all")?)?;
    let destinations = routes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|route| route["dst"].as_str());
    blocks.extend(
        destinations
            .filter_map(Block::parse)
            .filter(|block| block.length > BROAD),
    );
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_overlap_when_one_holds_the_other() {
        let ours = Network::numbered(3).block();
        for (text, expected) in [
            ("10.77.3.0/24", true),
            ("10.77.3.77", true),
            ("10.77.0.0/16", true),
            ("0.0.0.0/0", true),
            ("10.77.2.0/24", false),
            ("10.77.2.0/23", true),
            ("192.168.1.0/24", false),
        ] {
            assert_eq!(
                Block::parse(text).unwrap().overlaps(ours),
                expected,
                "{text}"
            );
        }
        assert_eq!(Block::parse("default"), None);
    }
}
