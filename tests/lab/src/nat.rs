//! Machines behind NAT: each is reached at a second address, which none of its interfaces has.
//!
//! This host plays the router, for its own connections only: neither do the machines reach each other at these
//! addresses, nor one itself, as it is behind many a router. A table of nftables with the lab's id in its name holds
//! the translation, and `host.sh` removes it; the route to the addresses goes with the bridge.

use std::fmt::Write;
use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{ip, run};
use crate::disk;
use crate::lab::Lab;
use crate::machine::Machine;
use crate::network;

impl Machine {
    /// Its address before the router: of 198.18.0.0/15, which is set aside for such tests, with the numbers of its
    /// address on the bridge, so that two labs never share one. It works after [`Lab::translate`].
    pub fn public_address(&self) -> Ipv4Addr {
        let [_, _, network, machine] = self.address().octets();
        Ipv4Addr::new(198, 18, network, machine)
    }
}

impl Lab {
    /// Puts the machines behind NAT: from now on this host reaches each at its [`Machine::public_address`], too, and
    /// the lab's `known_hosts` has the keys under it. To be called once.
    pub fn translate(&self) -> Result<()> {
        let table = table(self.id());
        let mut rules = format!(
            "add table ip {table}; add chain ip {table} output {{ type nat hook output priority -100 ; }}"
        );
        let mut known = String::new();
        for machine in self.machines() {
            let (public, address) = (machine.public_address(), machine.address());
            let _ = write!(
                rules,
                "; add rule ip {table} output ip daddr {public} dnat to {address}"
            );
            known.push_str(&disk::known_hosts_lines(&machine.disk(), public)?);
        }
        run(Command::new("nft").arg(&rules))?;
        // Translated is only what has a way already.
        let [_, _, network, _] = self.gateway().octets();
        ip(&format!(
            "route add 198.18.{network}.0/24 dev {}",
            network::bridge(self.id())
        ))?;
        let path = self.known_hosts();
        File::options()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(known.as_bytes()))
            .with_context(|| format!("write {}", path.display()))
    }
}

/// The name of a lab's table; `host.sh` knows it, too.
fn table(id: &str) -> String {
    format!("towline_{id}")
}
