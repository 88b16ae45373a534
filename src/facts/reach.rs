//! Whether a host reaches others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use crate::shell::{Reply, Script};

/// The question of a host whether it reaches others at these addresses, which [`reach_told`] understands.
pub fn reach_probe(addresses: &BTreeSet<IpAddr>) -> Script {
    let mut text = include_str!("reach.sh").to_owned();
    for (address, nth) in addresses.iter().zip(1..) {
        let _ = writeln!(text, "tell {address} &");
        // So many at a time are no load for the smallest host.
        if nth % 50 == 0 {
            text.push_str("wait\n");
        }
    }
    text.push_str("wait\n");
    Script::new(text).within(Duration::from_mins(5))
}

/// The answer to [`reach_probe`].
pub fn reach_told(reply: &Reply) -> BTreeMap<IpAddr, bool> {
    let said = reply.values("reaches").filter_map(|line| {
        let (answer, address) = line.split_once(' ')?;
        Some((address.parse().ok()?, answer == "yes"))
    });
    said.collect()
}
