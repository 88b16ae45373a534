//! Which of the machines' networks is their own: Vagrant does not say it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use crate::cluster::is_inside;

/// The addresses of a machine with their interfaces, and the interface of the default route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// In the order of the machine.
    pub addresses: Vec<(String, Ipv4Net)>,
    /// Empty when there is none.
    pub default_interface: String,
}

/// What a machine is asked. One that was made anew is known to its neighbours by the hardware address of the
/// old one, for a minute at most, unless it asks for one of them itself: by a ping, whatever becomes of it.
pub const QUESTION: &str = "ip -o -4 addr show scope global; ip -o -4 route show default
ip -o -4 addr show scope global | { while read -r _ _ _ net _; do ping -c 1 -W 1 \"${net%.*}.1\" >/dev/null 2>&1 & done; wait; }";

/// What it answers: `2: eth0    inet 10.0.2.15/24 brd …`, and `default via 10.0.2.2 dev eth0`.
pub fn seen(answer: &str) -> Seen {
    let mut seen = Seen::default();
    for line in answer.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |word: &str| {
            let at = words.iter().position(|is| *is == word)?;
            words.get(at + 1).copied()
        };
        if words.first() == Some(&"default") {
            if seen.default_interface.is_empty() {
                after("dev")
                    .unwrap_or_default()
                    .clone_into(&mut seen.default_interface);
            }
        } else if let (Some(interface), Some(Ok(net))) =
            (words.get(1), after("inet").map(str::parse))
        {
            seen.addresses.push(((*interface).to_owned(), net));
        }
    }
    seen
}

/// The machines' addresses on the first network on which all of them are, each with an address of its own; one
/// without the default route, which is the provider's, is preferred. Of the address to which Vagrant
/// connects it is known whether the machine has it itself: a single machine cannot show otherwise that
/// its only network is behind NAT.
pub fn private(machines: &[(&str, &Seen)]) -> Option<Vec<Ipv4Addr>> {
    let (first_way, first) = machines.first()?;
    let mut nets: Vec<&(String, Ipv4Net)> = first
        .addresses
        .iter()
        .filter(|(interface, net)| net.prefix_len() < 31 && !is_inside(interface))
        .filter(|(interface, net)| {
            let is_reached = first_way.parse() == Ok(IpAddr::V4(net.addr()));
            machines.len() > 1 || is_reached || *interface != first.default_interface
        })
        .collect();
    nets.sort_by_key(|(interface, _)| *interface == first.default_interface);
    nets.into_iter().find_map(|(_, net)| {
        let of = |seen: &Seen| {
            let mut nets = seen.addresses.iter().map(|(_, net)| net);
            nets.find(|own| own.trunc() == net.trunc())
                .map(Ipv4Net::addr)
        };
        let addresses: Vec<Ipv4Addr> = machines.iter().filter_map(|(_, seen)| of(seen)).collect();
        let different: BTreeSet<_> = addresses.iter().collect();
        (different.len() == machines.len()).then_some(addresses)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(addresses: &[(&str, &str)]) -> Seen {
        Seen {
            addresses: addresses
                .iter()
                .map(|(interface, net)| ((*interface).to_owned(), net.parse().expect("a network")))
                .collect(),
            default_interface: "eth0".into(),
        }
    }

    fn chosen(machines: &[(&str, Seen)]) -> Option<Vec<String>> {
        let machines: Vec<_> = machines.iter().map(|(way, seen)| (*way, seen)).collect();
        private(&machines).map(|found| found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_answer_is_read() {
        let answer = "2: eth0    inet 10.0.2.15/24 brd 10.0.2.255 scope global dynamic eth0\\       valid_lft 86sec\n\
            3: eth1    inet 192.168.56.11/24 brd 192.168.56.255 scope global eth1\\       valid_lft forever\n\
            7: ppp0    inet 10.9.0.2 peer 10.9.0.1/32 scope global ppp0\n\
            default via 10.0.2.2 dev eth0 proto dhcp src 10.0.2.15 metric 100\n";
        let read = machine(&[("eth0", "10.0.2.15/24"), ("eth1", "192.168.56.11/24")]);
        assert_eq!(seen(answer), read);
    }

    #[test]
    fn the_network_is_the_one_on_which_all_differ() {
        let nat = ("eth0", "10.0.2.15/24");
        let forwarded = "127.0.0.1";
        // VirtualBox, with k3s on it already.
        let virtualbox = |number: u8| {
            let (own, pods, bridge) = (
                format!("192.168.56.{number}/24"),
                format!("10.42.{number}.0/32"),
                format!("10.42.{number}.1/24"),
            );
            (
                forwarded,
                machine(&[nat, ("eth1", &own), ("flannel.1", &pods), ("cni0", &bridge)]),
            )
        };
        let both = [virtualbox(11), virtualbox(12)];
        assert_eq!(
            chosen(&both),
            Some(vec!["192.168.56.11".into(), "192.168.56.12".into()])
        );
        assert_eq!(chosen(&both[..1]), Some(vec!["192.168.56.11".into()]));
        // Without a private network.
        assert_eq!(
            chosen(&[(forwarded, machine(&[nat])), (forwarded, machine(&[nat]))]),
            None
        );
        assert_eq!(chosen(&[(forwarded, machine(&[nat]))]), None);
        // libvirt: the provider's own network goes only where there is no other.
        let libvirt = |own: &'static str, private: &str| {
            let provider = format!("{own}/24");
            (own, machine(&[("eth0", &provider), ("eth1", private)]))
        };
        let both = [
            libvirt("192.168.121.7", "192.168.56.11/24"),
            libvirt("192.168.121.8", "192.168.56.12/24"),
        ];
        assert_eq!(
            chosen(&both),
            Some(vec!["192.168.56.11".into(), "192.168.56.12".into()])
        );
        let both = [
            libvirt("192.168.121.7", "172.17.0.1/16"),
            libvirt("192.168.121.8", "172.17.0.1/16"),
        ];
        assert_eq!(
            chosen(&both),
            Some(vec!["192.168.121.7".into(), "192.168.121.8".into()])
        );
        // A network that only one of them has.
        assert_eq!(
            chosen(&[
                virtualbox(11),
                (forwarded, machine(&[nat, ("eth1", "192.168.57.12/24")]))
            ]),
            None
        );
        assert_eq!(chosen(&[]), None);
    }
}
