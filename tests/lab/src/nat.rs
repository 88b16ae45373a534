//! Machines behind NAT: each is reached at a second address, which none of its interfaces has.
//!
//! This host plays the router, for its own connections only: neither do the machines reach each other at these
//! addresses, nor one itself, as it is behind many a router. A table of nftables with the lab's id in its name holds
//! the translation, and `host.sh` removes it; the route to the addresses goes with the bridge.

use std::fmt::Write;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};

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

/// What `VirtualBox` has in front of every machine: the same address on the interface of the default route. Here
/// what is sent there is lost.
const SAME_EVERYWHERE: &str = "ip link add eth0 type veth peer name nat0 && ip link set nat0 up && ip address add 10.0.2.15/24 dev eth0 \
    && ip link set eth0 up && ip route replace default via 10.0.2.2 dev eth0";

impl Lab {
    /// Gives every machine the shape that `VirtualBox` gives it: 10.0.2.15 on the interface `eth0` of its default
    /// route, and the lab's bridge as its private network, on `host0`. It is gone when the machine is cut.
    pub fn behind_virtualbox(&self) -> Result<()> {
        for machine in self.machines() {
            machine.change(SAME_EVERYWHERE)?;
        }
        Ok(())
    }

    /// Forwards a port of 127.0.0.1 to a machine's sshd, as `VirtualBox` does, until this process ends; the lab's
    /// `known_hosts` has the keys under it.
    pub fn forward(&self, machine: &Machine) -> Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let known = disk::known_hosts_lines(&machine.disk(), machine.address())?;
        let known = known.replace(
            &format!("{} ", machine.address()),
            &format!("[127.0.0.1]:{port} "),
        );
        File::options()
            .append(true)
            .open(self.known_hosts())
            .and_then(|mut file| file.write_all(known.as_bytes()))?;
        let to = (machine.address(), 22);
        thread::spawn(move || {
            for one in listener.incoming().flatten() {
                let Ok(other) = TcpStream::connect(to) else {
                    continue;
                };
                for (from, to) in [(one.try_clone(), other.try_clone()), (Ok(other), Ok(one))] {
                    if let (Ok(mut from), Ok(mut to)) = (from, to) {
                        thread::spawn(move || {
                            let _ = io::copy(&mut from, &mut to);
                            let _ = to.shutdown(Shutdown::Write);
                        });
                    }
                }
            }
        });
        Ok(port)
    }
}

impl Machine {
    /// Adds an interface with this network's address for the machine, of the same last number as its own. Where it is
    /// `connected` it reaches those of the other machines; otherwise none.
    pub fn add_interface(&self, name: &str, network: &str, connected: bool) -> Result<()> {
        let [.., number] = self.address().octets();
        let kind = if connected {
            "type vxlan id 9 dev host0 group 239.1.1.9 dstport 4790"
        } else {
            &format!("type veth peer name {name}-peer")
        };
        self.change(&format!(
            "ip link add {name} {kind} && ip address add {network}.{number}/24 dev {name} && ip link set {name} up"
        ))
    }

    fn change(&self, script: &str) -> Result<()> {
        let answer = self.ssh(script)?;
        ensure!(
            answer.status == 0,
            "{}: {script}: {}",
            self.name(),
            answer.stderr
        );
        Ok(())
    }
}

/// The name of a lab's table; `host.sh` knows it, too.
fn table(id: &str) -> String {
    format!("towline_{id}")
}
