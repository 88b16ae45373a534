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

#[cfg(test)]
mod tests {
    use super::*;

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
