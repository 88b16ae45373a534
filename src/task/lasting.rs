//! Whether a unit that was READY has stayed so. k3s tells READY when its API answers, and dies of
//! what follows: with a setting that its cluster cannot have (k3s 1.36: another `cluster-cidr`) 1 to
//! 11 s later, again and again.

use std::fmt::Write as _;
use std::time::Duration;

use super::own::{self, number};
use super::service::{Service, WITHOUT_CHATTER, journal};
use crate::problem::{Code, Problem};
use crate::shell::{PACKED, Reply, Script, decode, quote};

/// So many of the last lines are told.
const LINES: usize = 8;

/// What became of a unit since it was READY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// It has stayed READY, or something else has restarted it.
    Lasted,
    /// It has ended and is READY again, for so long.
    Again(Duration),
    /// It has ended and is not READY.
    Ended,
}

impl Service {
    /// The read-only question whose answer [`Service::since`] understands; with what the unit said
    /// in the time since it was READY, where it did not last, and what it warned of at its start.
    pub fn look_again(&self, since: Duration) -> Script {
        let unit = quote(&self.unit);
        let mut text = format!(
            "systemctl show -p LoadState -p ActiveState -p SubState -p NRestarts \
             -p ActiveEnterTimestampMonotonic -p ExecMainStartTimestampMonotonic {unit}\n\
             printf 'uptime=%s\\nnow=%s\\n' \"$(cut -d ' ' -f 1 /proc/uptime)\" \"$(date +%s.%N)\"\n"
        );
        // What a process that runs now says at its start is much, and not of the one that has ended.
        let _ = writeln!(
            text,
            "[ \"$(systemctl is-active {unit}) $(systemctl show -p NRestarts --value {unit})\" = 'active 0' ] || \
             printf 'journal={PACKED}%s\\n' \"$(journalctl -q --no-pager -o short --since=-{}s _SYSTEMD_UNIT={unit}.service 2>/dev/null | grep -vF \"[$(systemctl show -p MainPID --value {unit})]: \" | sed -E 's/^.{{15}} [^ ]+ [^ ]+\\[[0-9]+\\]: //' | {WITHOUT_CHATTER} | tail -c 65536 | base64 | tr -d '\\n')\"",
            since.as_secs() + 5
        );
        let warning = self.diagnose.as_ref().and_then(|one| one.journal.warning);
        if let Some((words, _)) = warning {
            let _ = writeln!(
                text,
                "printf 'warned={PACKED}%s\\n' \"$(journalctl -q --no-pager -o cat _SYSTEMD_INVOCATION_ID=\"$(systemctl show -p InvocationID --value {unit})\" 2>/dev/null | head -n 400 | grep -F {} | head -n 20 | tail -c 4096 | base64 | tr -d '\\n')\"",
                quote(words)
            );
        }
        if let Some(own) = &self.own {
            text.push_str(&own.probe(&self.unit, self.kubectl));
        }
        Script::new(text).within(Duration::from_secs(20))
    }

    /// What is to be known of the unit although it runs.
    pub fn notes(&self, seen: &Reply) -> Vec<String> {
        let bytes = seen.value("warned").and_then(decode).unwrap_or_default();
        let lines = String::from_utf8_lossy(&bytes);
        let warning = self.diagnose.as_ref().and_then(|one| one.journal.warning);
        warning.map_or_else(Vec::new, |(_, notes)| notes(&lines))
    }

    /// What became of the unit in the time since it was READY; `None` where systemd did not answer.
    pub fn since(&self, seen: &Reply, since: Duration) -> Option<Since> {
        seen.value("LoadState").filter(|state| !state.is_empty())?;
        if own::awaits_network(self.own.as_ref(), seen) {
            return Some(Since::Lasted);
        }
        let state = |key| seen.value(key).unwrap_or_default();
        if (state("ActiveState"), state("SubState")) != ("active", "running") {
            return Some(Since::Ended);
        }
        let age = number(seen, "uptime")? - number(seen, "ActiveEnterTimestampMonotonic")? / 1e6;
        let restarts = Self::restarts(seen);
        // It was seen a moment after it was so.
        Some(if restarts == 0 || age + 1.0 >= since.as_secs_f64() {
            Since::Lasted
        } else {
            Since::Again(Duration::try_from_secs_f64(age).unwrap_or_default())
        })
    }

    /// How often systemd has restarted the unit.
    pub fn restarts(seen: &Reply) -> u32 {
        let count = seen.value("NRestarts").and_then(|count| count.parse().ok());
        count.unwrap_or_default()
    }

    /// Whether it has ended of what does not pass by itself, so that it will end again.
    pub fn ends_again(&self, seen: &Reply) -> bool {
        self.cause(&journal(seen)).is_some()
    }

    /// Why a unit that did not last is a failure.
    pub fn did_not_last(&self, seen: &Reply) -> Problem {
        let journal = journal(seen);
        let unit = &self.unit;
        let what = format!(
            "{unit} was READY and did not stay so (restarts by systemd: {})",
            Self::restarts(seen)
        );
        if let Some(cause) = self.cause(&journal) {
            return cause.because(what);
        }
        // Of two starts; the end is what matters.
        let said = self
            .diagnose
            .as_ref()
            .map(|diagnose| (diagnose.journal.relevant)(&journal));
        let said = said.unwrap_or_default();
        said[said.len().saturating_sub(LINES)..]
            .iter()
            .fold(Problem::new(Code::UNIT_FAILS, what), Problem::because)
            .next("on the host, this shows all that it said")
            .on_host(format!("journalctl -u {unit} --no-pager -n 200"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_lasts_unless_systemd_has_restarted_it_since_it_was_ready() {
        let service = Service {
            unit: "k3s".into(),
            newer_than: Vec::new(),
            ready: None,
            journal: None,
            diagnose: None,
            kubectl: "/usr/local/bin/k3s kubectl",
            own: None,
            quorum: None,
            timeout: Duration::from_mins(10),
        };
        // READY 50 s after boot; it is now 100 s after boot.
        let state = "LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=1\n\
                     ActiveEnterTimestampMonotonic=50000000\nuptime=100.0\n";
        let since = |state: &str, seconds: u64| {
            let seen = Reply {
                status: 0,
                stdout: state.to_owned(),
                stderr: String::new(),
            };
            service.since(&seen, Duration::from_secs(seconds))
        };
        assert_eq!(since(state, 50), Some(Since::Lasted));
        let again = Since::Again(Duration::from_secs(50));
        assert_eq!(since(state, 60), Some(again));
        let by_hand = state.replace("NRestarts=1", "NRestarts=0");
        assert_eq!(since(&by_hand, 60), Some(Since::Lasted));
        let ended = state.replace("active\n", "activating\n");
        assert_eq!(since(&ended, 50), Some(Since::Ended));
        assert_eq!(since("uptime=1\n", 50), None);
    }
}
