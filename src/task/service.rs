//! A systemd unit that is enabled, READY, and runs what its files say now.
//!
//! ```yaml
//! - name: k3s runs what its files say
//!   service:
//!     unit: k3s
//!     newer_than: [/etc/rancher/k3s/config.yaml, /usr/local/bin/k3s]
//!     diagnose: k3s
//!     timeout: 900
//! ```
//!
//! Whether a restart is owed is observed, never remembered: a file that is newer than the start of
//! the unit's process. So an interrupted run restarts what it owes the next time. Ages are
//! compared, not dates, since a host's clock may be wrong; and a unit that is already starting is
//! waited for, never restarted in the middle of its join, unless that is with what its files no
//! longer say.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::own::{self, Own, number, process_age};
use super::{Action, Change, Changes, Ended, Pending, Quorum, Remedy, Verdict};
use crate::problem::AdviceKind::{CommandOnHost, Words};
use crate::problem::{Advice, Code, Problem, problem};
use crate::shell::{PACKED, Reply, Script, acting, decode, quote};

/// Takes klog's lines of information and the list of flags out of a journal: where a component ends,
/// it prints the latter, some 350 lines. Why a kubelet does not join is said for information alone.
pub(super) const WITHOUT_CHATTER: &str =
    "sed -E -e '/Failed to connect to apiserver/b' -e '/^(   |I[0-9]{4} )/d'";

/// Words in lines that warn of something, and what such lines tell.
type Warning = (&'static str, fn(lines: &str) -> Vec<String>);

/// How the journal of a distribution's unit is read.
#[derive(Debug)]
pub struct Journal {
    /// Recognises a cause that will not go away by itself, for the node of this name.
    pub cause: fn(journal: &str, node: &str) -> Option<Problem>,
    /// The lines that tell of trouble.
    pub relevant: fn(journal: &str) -> Vec<String>,
    /// The last words of a process that has ended, unless what they tell of passes by itself.
    pub last_words: fn(journal: &str) -> Option<String>,
    /// What a process warns of that runs: things to know, not failures.
    pub warning: Option<Warning>,
    /// Whether a member of etcd looks for a leader and finds none.
    pub seeks_leader: fn(journal: &str) -> bool,
}

/// How a unit's journal is read.
#[derive(Debug, Clone)]
pub struct Diagnose {
    /// How that of its distribution is.
    pub journal: &'static Journal,
    /// The node's name.
    pub node: String,
}

/// A systemd unit that runs what its files say now.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The unit, without `.service`.
    pub unit: String,
    /// Files that the process must be younger than. A text of several lines is as many paths.
    #[serde(default, deserialize_with = "lines")]
    pub newer_than: Vec<String>,
    /// Shell text that succeeds when it is ready: for a unit that systemd calls active as soon as its
    /// process runs (of the type `simple` or `exec`).
    #[serde(default)]
    pub ready: Option<String>,
    /// The distribution whose journal it is; without it, its last lines are shown as they are.
    #[serde(default, rename = "diagnose")]
    pub journal: Option<String>,
    /// How that journal is read.
    #[serde(skip)]
    pub diagnose: Option<Diagnose>,
    /// The command of the host that asks a cluster's API.
    #[serde(skip)]
    pub kubectl: &'static str,
    /// An agent's own node, asked for while the unit is not READY.
    #[serde(default)]
    pub own: Option<Own>,
    /// What a member of etcd needs, where it was seen beforehand that it lacks others.
    #[serde(skip)]
    pub quorum: Option<Quorum>,
    /// How long the unit may take from its start to READY.
    #[serde(deserialize_with = "super::seconds")]
    pub timeout: Duration,
}

/// Reads texts, of several lines each.
fn lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let lines = texts.iter().flat_map(|text| text.lines());
    Ok(lines.map(str::to_owned).collect())
}

/// How long an etcd may take to answer on a machine that is up: it starts at boot, or not at all.
const COMING: Duration = Duration::from_mins(3);

impl Service {
    pub(super) fn probe(&self) -> Script {
        Script::new(self.question()).within(Duration::from_secs(20))
    }

    /// Shell text that says how the unit is, and what it said where it is not READY.
    pub(super) fn question(&self) -> String {
        let unit = quote(&self.unit);
        let mut text = format!(
            "unit=$(systemctl show -p LoadState -p ActiveState -p SubState -p NRestarts -p UnitFileState \
             -p NeedDaemonReload -p Job -p ExecMainStartTimestampMonotonic -p InvocationID -p Result {unit})\n\
             printf '%s\\n' \"$unit\"\n\
             printf 'uptime=%s\\nnow=%s\\n' \"$(cut -d ' ' -f 1 /proc/uptime)\" \"$(date +%s.%N)\"\n"
        );
        for path in &self.newer_than {
            let _ = writeln!(
                text,
                "[ -e {0} ] && printf 'file=%s %s\\n' \"$(stat -c %.9Y {0} 2>/dev/null || stat -c %Y {0})\" {0}",
                quote(path)
            );
        }
        let ready = self.ready.as_ref().map_or_else(String::new, |ready| {
            format!("&& if (\n{ready}\n) >/dev/null; then true; else echo ready=no; false; fi")
        });
        // Of the very process whose state was told: a moment later there may be another one.
        let _ = writeln!(
            text,
            "printf '%s\\n' \"$unit\" | grep -qx ActiveState=active {ready}|| \
             printf 'journal={PACKED}%s\\n' \"$(journalctl -q --no-pager -o cat -n 400 _SYSTEMD_INVOCATION_ID=\"$(printf '%s\\n' \"$unit\" | sed -n s/^InvocationID=//p)\" 2>/dev/null | {WITHOUT_CHATTER} | tail -c 24576 | base64 | tr -d '\\n')\""
        );
        if let Some(own) = &self.own {
            text.push_str(&own.probe(&self.unit, self.kubectl));
        }
        if let Some(quorum) = &self.quorum {
            text.push_str(&quorum.probe(&self.unit, self.kubectl));
        }
        text
    }

    pub(super) fn judge(&self, seen: &Reply, upstream: &Changes) -> Result<Verdict, Problem> {
        let unit = &self.unit;
        let get = |key: &'static str| seen.value(key).unwrap_or_default();
        let newer = self.newer(seen, upstream);
        let restart = match newer.as_slice() {
            // A drop-in that was removed has no age, and systemd alone knows that it was there.
            [] if get("NeedDaemonReload") == "yes" => Some(format!(
                "reload systemd and restart {unit}: its unit or drop-ins changed since systemd read them"
            )),
            [] => None,
            files => Some(format!(
                "restart {unit}: {} changed since its start",
                files.join(", ")
            )),
        };
        match get("LoadState") {
            "" => {
                return Ok(Verdict::Undecidable(format!(
                    "systemd did not answer about {unit}"
                )));
            }
            // The unit's file is written earlier in the same plan.
            "not-found" if upstream.any() => {
                return Ok(self.act("start", format!("enable and start {unit}")));
            }
            "not-found" => {
                return Err(problem!(Code::UNIT_MISSING, "there is no unit {unit}")
                    .because("it was there, or was written, before: something else removes it from this host")
                    .next("when that has ended, run the same command again"));
            }
            "masked" => {
                return Err(problem!(Code::UNIT_MASKED, "the unit {unit} is masked")
                    .on_host(format!("systemctl unmask {unit}")));
            }
            _ => {}
        }
        let busy = !matches!(get("Job"), "" | "0");
        Ok(match (get("ActiveState"), get("SubState"), restart) {
            ("activating", "start", None) if own::missed_its_ready(seen) => match &self.own {
                Some(own) => Verdict::Drifted(own.report(unit, self.kubectl, self.timeout)),
                None => self.pending(seen),
            },
            (_, _, None) if own::awaits_network(self.own.as_ref(), seen) => Verdict::Converged,
            (_, _, None) if busy => self.pending(seen),
            ("active", "running", Some(what)) => {
                let invocation = get("InvocationID").trim();
                self.act_on(Some(invocation), "restart", what)
            }
            ("active", "running", None) if get("UnitFileState") != "enabled" => {
                let enable = format!("systemctl enable {} 2>&1\n", quote(unit));
                super::remedy(
                    vec![Change::new(format!(
                        "enable {unit}, so that it starts at boot"
                    ))],
                    acting(&enable, Duration::from_mins(1)),
                )
            }
            ("active", "running", None) if get("ready") == "no" => self.pending(seen),
            ("active", "running", None) => Verdict::Converged,
            ("activating" | "deactivating" | "reloading", _, None) => self.pending(seen),
            ("activating" | "deactivating" | "reloading", _, Some(what)) => {
                self.act("restart", what)
            }
            _ => self.act("start", format!("enable and start {unit}")),
        })
    }

    /// A cause that is recognised in its journal.
    pub(super) fn cause(&self, journal: &str) -> Option<Problem> {
        let diagnose = self.diagnose.as_ref()?;
        (diagnose.journal.cause)(journal, &diagnose.node)
    }

    /// The files that are newer than the unit's process, and those that will be.
    fn newer(&self, seen: &Reply, upstream: &Changes) -> Vec<String> {
        let process_age = process_age(seen);
        let file_age = |path: &str| {
            let line = seen
                .values("file")
                .find_map(|line| line.strip_suffix(path)?.strip_suffix(' '))?;
            Some(number(seen, "now")? - line.parse::<f64>().ok()?)
        };
        let is_newer = |path: &&String| {
            upstream.has(path)
                || matches!((file_age(path), process_age), (Some(file), Some(process)) if file < process)
        };
        self.newer_than.iter().filter(is_newer).cloned().collect()
    }

    /// What is waited for, and what it says, while the unit is not READY.
    pub(super) fn pending(&self, seen: &Reply) -> Verdict {
        let journal = journal(seen);
        let cause = self.cause(&journal);
        let mut said = if let Some(diagnose) = &self.diagnose {
            (diagnose.journal.relevant)(&journal)
        } else {
            let lines: Vec<_> = journal.lines().map(str::to_owned).collect();
            lines[lines.len().saturating_sub(20)..].to_vec()
        };
        let has_ended = seen.value("SubState") == Some("auto-restart");
        // One that crashes says nothing: what systemd says of its end stands for its words.
        let api_unresponsive = journal.trim().is_empty() && has_ended;
        let result = seen.value("Result").filter(|_| api_unresponsive);
        let result = result.map(|result| format!("it ended without a word; systemd: {result}"));
        said.extend(result.clone());
        let ended = self.diagnose.as_ref().filter(|_| has_ended);
        let ended = ended.map(|diagnose| Ended {
            restarts: Self::restarts(seen),
            words: (diagnose.journal.last_words)(&journal).or(result),
        });
        let mut pending = Pending {
            until: format!("{} to be READY", self.unit),
            cause,
            said,
            ended,
            next: vec![
                Advice::new(Words, "on the host, this shows all that it said"),
                Advice::new(
                    CommandOnHost,
                    format!("journalctl -u {} --no-pager -n 200", self.unit),
                ),
            ],
            timeout: self.timeout,
        };
        let diagnose = self.diagnose.as_ref();
        if diagnose.is_some_and(|diagnose| (diagnose.journal.seeks_leader)(&journal)) {
            self.await_quorum(seen, &mut pending);
        }
        Verdict::Pending(pending)
    }

    /// What a wait is for, and how long it makes sense, where a member of etcd finds no leader.
    fn await_quorum(&self, seen: &Reply, pending: &mut Pending) {
        let Some(quorum) = &self.quorum else {
            pending.said = vec![
                "etcd has no leader: more than half of its members must reach each other at port 2380".into(),
            ];
            return;
        };
        match quorum.coming(seen).as_slice() {
            [] => pending.cause = Some(quorum.problem()),
            coming => {
                pending.until = format!("etcd of {}, whose machine is up", coming.join(" or "));
                pending.said = vec![quorum.needed.clone()];
                let left = quorum.left.iter();
                pending.next = left.map(|left| Advice::new(Words, left)).collect();
                pending.timeout = pending.timeout.min(COMING);
            }
        }
    }

    fn act(&self, verb: &str, what: String) -> Verdict {
        self.act_on(None, verb, what)
    }

    /// Starts without blocking: `systemctl start` of an agent whose server cannot be reached
    /// would never return. Of a given invocation of the unit, no later one is touched: another run
    /// of towline may have restarted it since it was looked at.
    fn act_on(&self, invocation: Option<&str>, verb: &str, what: String) -> Verdict {
        let unit = quote(&self.unit);
        let mut script = String::from("set -e\n");
        for path in &self.newer_than {
            // A file from the future, left by a clock that was wrong, would ask for a restart in
            // every run.
            let _ = writeln!(
                script,
                "if [ -e {0} ] && [ \"$(stat -c %Y {0})\" -gt \"$(date +%s)\" ]; then touch {0}; fi",
                quote(path)
            );
        }
        let guard = match invocation.filter(|seen| !seen.is_empty()) {
            None => String::new(),
            Some(seen) => format!(
                "[ \"$unread\" = yes ] || [ \"$(systemctl show -p InvocationID --value {unit})\" = {} ] || exit 0\n",
                quote(seen)
            ),
        };
        let _ = writeln!(
            script,
            "unread=$(systemctl show -p NeedDaemonReload --value {unit})\n\
             systemctl daemon-reload\nsystemctl enable {unit} 2>&1\nsystemctl reset-failed {unit} 2>/dev/null || :\n\
             {guard}systemctl {verb} --no-block {unit}"
        );
        Verdict::Drifted(Remedy {
            changes: vec![Change {
                what,
                mark: Some(format!("unit:{}", self.unit)),
                diff: None,
            }],
            actions: vec![Action::Run(acting(&script, Duration::from_mins(2)))],
            settle: self.timeout,
            restarts: verb == "restart",
            follows: false,
        })
    }
}

/// What a unit said, as it was answered.
pub(super) fn journal(seen: &Reply) -> String {
    let bytes = seen.value("journal").and_then(decode).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
