//! What is worth knowing of hosts that answered: commands that take long to start, clocks that are
//! wrong.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::exchange::{Answered, ask};
use crate::facts::{Facts, is_node_name};
use crate::inventory::Host;
use crate::ssh::Remote;

/// From this on the start of a command is long: a usual one takes a tenth of it.
const LONG: Duration = Duration::from_secs(2);

/// Clocks that differ by more than so many seconds are told: etcd and readers of logs suffer.
const APART: i64 = 30;

/// k3s makes its certificates valid from an hour ago (dynamiclistener, `CalculateNotBefore`), so
/// clocks that differ by more let no host join and no kubeconfig work.
const BACKDATED: i64 = 3600;

/// Why commands take long to start on a host, if they do: sudo looks up the host's own name, and each
/// time waits until the resolver gives up.
pub(super) async fn slow_start(
    host: &Host,
    facts: &Facts,
    remote: &dyn Remote,
    first: &Answered,
) -> Option<String> {
    if first.start < LONG {
        return None;
    }
    let (name, seconds) = (&host.name, first.start.as_secs_f64());
    if first.said.contains("unable to resolve host") {
        let line = if is_node_name(&facts.hostname) {
            format!(
                "; on the host, as root:\necho '127.0.1.1 {}' >> /etc/hosts",
                facts.hostname
            )
        } else {
            String::new()
        };
        return Some(format!(
            "{name}: every command takes {seconds:.1} s to start there, since sudo cannot resolve the host's own name{line}"
        ));
    }
    // The first command of a connection may wait for what the next one finds ready.
    let again = ask(remote, &[]).await.ok()?;
    if again.start < LONG {
        return None;
    }
    let (seconds, user) = (again.start.as_secs_f64(), &host.ssh.user.value);
    let look = if user == "root" {
        "look at what the shell of root does when it starts"
    } else {
        "on the host, this shows whether it is sudo:  time sudo -n true"
    };
    Some(format!(
        "{name}: every command takes {seconds:.1} s to start there; {look}"
    ))
}

/// How many seconds a host's clock is ahead of this machine's, or behind (negative). It was read at
/// some time between `before` and `after`; `None` when the host did not tell it.
pub(super) fn ahead(clock: u64, before: SystemTime, after: SystemTime) -> Option<i64> {
    let seconds = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    };
    let clock = i64::try_from(clock).ok().filter(|clock| *clock > 0)?;
    let (before, after) = (seconds(before)?, seconds(after)?);
    Some(if clock < before {
        clock - before
    } else {
        (clock - after).max(0)
    })
}

/// What is to be said about clocks, by how much each is ahead of this machine's. Of three and more
/// hosts most are taken to be right, also against this machine.
pub(super) fn clocks(ahead: &BTreeMap<String, i64>) -> Vec<String> {
    let mut sorted: Vec<i64> = ahead.values().copied().collect();
    sorted.sort_unstable();
    let middle = match sorted.len() {
        0..3 => 0,
        count => sorted[count / 2],
    };
    let mut notes = Vec::new();
    let middle = if middle.abs() > APART { middle } else { 0 };
    if middle != 0 {
        notes.push(format!(
            "the clock of this machine is {} most hosts'{}; look at it with  timedatectl",
            apart(-middle),
            if middle > BACKDATED {
                ": their certificates are not yet valid here, so the kubeconfig will not work"
            } else {
                ""
            }
        ));
    }
    let than = if middle == 0 {
        "this machine's"
    } else {
        "the other hosts'"
    };
    for (host, ahead) in ahead {
        let ahead = ahead - middle;
        if ahead.abs() <= APART {
            continue;
        }
        let so = match ahead {
            ahead if ahead > BACKDATED => {
                ": certificates that it makes are not yet valid elsewhere, so no host can join through it"
            }
            ahead if ahead < -BACKDATED => {
                ": the cluster's certificates are not yet valid there, so it cannot join"
            }
            _ => "",
        };
        notes.push(format!(
            "{host}: its clock is {} {than}{so}; on the host, as root:\ntimedatectl set-ntp true && timedatectl",
            apart(ahead)
        ));
    }
    notes
}

/// `3 h 02 m behind`, `12 s ahead of`.
fn apart(seconds: i64) -> String {
    let (amount, side) = (
        seconds.unsigned_abs(),
        if seconds > 0 { "ahead of" } else { "behind" },
    );
    let amount = match amount {
        0..60 => format!("{amount} s"),
        60..3600 => format!("{} m {:02} s", amount / 60, amount % 60),
        3600..172_800 => format!("{} h {:02} m", amount / 3600, amount / 60 % 60),
        _ => format!("{} days", amount / 86_400),
    };
    format!("{amount} {side}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_only_outside_of_the_time_in_which_it_was_read() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (clock, expected) in [
            (0, None),
            (1000, Some(0)),
            (1004, Some(0)),
            (990, Some(-10)),
            (1065, Some(60)),
        ] {
            assert_eq!(ahead(clock, at(1000), at(1005)), expected, "{clock}");
        }
    }

    fn said(clocks_ahead: &[(&str, i64)]) -> String {
        let ahead = clocks_ahead
            .iter()
            .map(|(host, ahead)| ((*host).to_owned(), *ahead))
            .collect();
        clocks(&ahead).join("\n")
    }

    #[test]
    fn clocks_that_differ_are_told_with_how_much_and_whose_is_wrong() {
        assert_eq!(said(&[("m1", 3), ("m2", -30), ("m3", 0)]), "");
        let one = said(&[("m1", 0), ("m2", -10_925), ("m3", 2)]);
        assert!(
            one.starts_with(
                "m2: its clock is 3 h 02 m behind this machine's: the cluster's certificates are not yet valid there"
            ),
            "{one}"
        );
        let two = said(&[("m1", 75), ("m2", 0)]);
        assert!(
            two.starts_with("m1: its clock is 1 m 15 s ahead of this machine's; on the host"),
            "{two}"
        );
        let here = said(&[("m1", 400_000), ("m2", 400_001), ("m3", 0)]);
        let lines: Vec<&str> = here.lines().collect();
        assert!(
            lines[0].starts_with("the clock of this machine is 4 days behind most hosts'"),
            "{here}"
        );
        assert!(
            lines[1].starts_with("m3: its clock is 4 days behind the other hosts'"),
            "{here}"
        );
        assert_eq!(lines.len(), 3, "{here}");
    }
}
