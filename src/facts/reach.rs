//! Whether a host reaches others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use crate::inventory::place;
use crate::shell::{Reply, Script, quote};

/// What a host is asked about others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// Whether it reaches these addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// What comes back from these.
    pub services: Vec<AskedService>,
}

/// A port of another machine, and what should answer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedService {
    /// An address or a name.
    pub host: String,
    /// The port.
    pub port: u16,
    /// By what its server is known: `postgres`, `mysql`, `nats`, or `any` for a connection alone.
    pub greeting: &'static str,
}

/// The question of a host whether it reaches others, which [`reach_told`] and [`services_told`]
/// understand. `api_port` is that of servers.
pub fn reach_probe(around: &Around, api_port: u16) -> Script {
    let Around {
        addresses,
        services,
    } = around;
    let mut text = format!("ports='22 {api_port} 10250'\n{}", include_str!("reach.sh"));
    for (address, nth) in addresses.iter().zip(1..) {
        let _ = writeln!(text, "tell {address} &");
        // So many at a time are no load for the smallest host.
        if nth % 50 == 0 {
            text.push_str("wait\n");
        }
    }
    for AskedService {
        host,
        port,
        greeting,
    } in services
    {
        let _ = writeln!(text, "greet {} {port} {greeting} &", quote(host));
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
    /// The name is not known there.
    Unnamed,
    /// What should, but it takes no connection from this host.
    TurnedAway,
    /// Something else than what should.
    Other,
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
    answer(reply.value("port")?)
}

fn answer(word: &str) -> Option<PortAnswer> {
    match word {
        "open" => Some(PortAnswer::Open),
        "refused" => Some(PortAnswer::Refused),
        "unreachable" => Some(PortAnswer::Unreachable),
        "silent" => Some(PortAnswer::Silent),
        "unnamed" => Some(PortAnswer::Unnamed),
        "turned_away" => Some(PortAnswer::TurnedAway),
        "other" => Some(PortAnswer::Other),
        _ => None,
    }
}

/// What services answered to [`reach_probe`], each by `HOST:PORT`. Of those that were asked about alone.
pub fn services_told(reply: &Reply, asked: &[AskedService]) -> BTreeMap<String, PortAnswer> {
    let said = reply.values("service").filter_map(|line| {
        let [word, host, port] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let mut asked = asked.iter();
        let one = asked.find(|one| one.host == host && one.port.to_string() == port)?;
        Some((place(&(one.host.clone(), one.port)), answer(word)?))
    });
    said.collect()
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
        let around = Around {
            addresses: all.collect(),
            services: Vec::new(),
        };
        let text = reach_probe(&around, 6443).text;
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

    /// What is told of a service that says this when it is connected to.
    fn told(greeting: &'static str, says: &'static [u8]) -> Option<PortAnswer> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = std::io::Write::write_all(&mut stream, says);
            let _ = std::io::Read::read(&mut stream, &mut [0; 8]);
        });
        let host = "127.0.0.1".to_owned();
        let services = vec![AskedService {
            host,
            port,
            greeting,
        }];
        let around = Around {
            addresses: BTreeSet::new(),
            services,
        };
        let output = std::process::Command::new("sh")
            .args(["-c", &reach_probe(&around, 6443).text])
            .output()
            .expect("sh runs");
        let reply = Reply {
            status: 0,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::new(),
        };
        let told = services_told(&reply, &around.services);
        told.into_values().next()
    }

    #[test]
    fn a_datastore_is_known_by_its_greeting() {
        assert_eq!(told("postgres", b"N"), Some(PortAnswer::Open));
        assert_eq!(told("postgres", b"HTTP"), Some(PortAnswer::Other));
        assert_eq!(told("mysql", b"\x4a\0\0\0\x0a8.0"), Some(PortAnswer::Open));
        assert_eq!(told("mysql", b"SSH-2.0-x"), Some(PortAnswer::Other));
        let not_allowed = b"\x45\0\0\0\xff\x6a\x04Host 'm1' is not allowed";
        assert_eq!(told("mysql", not_allowed), Some(PortAnswer::TurnedAway));
        assert_eq!(told("nats", b"INFO {}"), Some(PortAnswer::Open));
        assert_eq!(told("any", b""), Some(PortAnswer::Open));
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
