//! Whether a host reaches others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use crate::shell::{Reply, Script};

/// The question of a host whether it reaches others at these addresses, which [`reach_told`] understands.
/// `api_port` is that of servers.
pub fn reach_probe(addresses: &BTreeSet<IpAddr>, api_port: u16) -> Script {
    let mut text = format!("ports='22 {api_port} 10250'\n{}", include_str!("reach.sh"));
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

/// What came back from a port of another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortAnswer {
    /// It takes connections.
    Open,
    /// It refuses them: nothing listens, or a firewall says so.
    Refused,
    /// There is no way to the host, or a firewall says so.
    Unreachable,
    /// Nothing.
    Silent,
}

/// The question of a host what comes back from a port of another one, which [`port_told`] understands.
pub fn port_probe(address: IpAddr, port: u16) -> Script {
    Script::new(format!(
        "said=$(LC_ALL=C timeout 3 bash -c ': <>\"/dev/tcp/$0/$1\"' {address} {port} 2>&1) && echo port=open && exit\n\
         case $said in\n\
         *refused*) echo port=refused ;;\n\
         *[Nn]\"o route\"* | *unreachable*) echo port=unreachable ;;\n\
         *) echo port=silent ;;\n\
         esac\n"
    ))
}

/// The answer to [`port_probe`].
pub fn port_told(reply: &Reply) -> Option<PortAnswer> {
    match reply.value("port")? {
        "open" => Some(PortAnswer::Open),
        "refused" => Some(PortAnswer::Refused),
        "unreachable" => Some(PortAnswer::Unreachable),
        "silent" => Some(PortAnswer::Silent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_open_or_refuses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let ask = |port| {
            let script = port_probe(IpAddr::from([127, 0, 0, 1]), port);
            let output = std::process::Command::new("sh")
                .args(["-c", &script.text])
                .output()
                .expect("sh runs");
            port_told(&Reply {
                status: 0,
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::new(),
            })
        };
        assert_eq!(ask(port), Some(PortAnswer::Open));
        // Nothing listens at port 1.
        assert_eq!(ask(1), Some(PortAnswer::Refused));
    }

    #[test]
    fn many_are_asked_for_some_at_a_time_and_only_addresses_are_answers() {
        let all = (0..120).map(|number| IpAddr::from([10, 0, 0, number]));
        let text = reach_probe(&all.collect(), 6443).text;
        assert_eq!(text.matches("\nwait").count(), 3, "{text}");
        assert!(text.contains("\ntell 10.0.0.119 &\n"));

        let reply = Reply {
            stdout: "reaches=yes 10.0.0.1\nreaches=no fd00::2\nreaches=yes $(id)\nreaches=no\n"
                .into(),
            status: 0,
            stderr: String::new(),
        };
        let told = reach_told(&reply).into_iter();
        let told: Vec<_> = told
            .map(|(address, yes)| format!("{address} {yes}"))
            .collect();
        assert_eq!(told, ["10.0.0.1 true", "fd00::2 false"]);
    }

    #[test]
    fn a_refused_connection_is_an_answer() {
        // Nothing listens at port 1.
        let text = format!(
            "{}\nanswers 127.0.0.1 1 && echo yes\n",
            include_str!("reach.sh")
        );
        let output = std::process::Command::new("sh")
            .args(["-c", &text])
            .output()
            .expect("sh runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "yes\n");
    }
}
