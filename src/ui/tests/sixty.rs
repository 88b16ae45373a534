//! A deploy to sixty hosts as it might go: one is not reached, one fails, one is slow.

use crate::problem::{Code, Problem, problem};
use crate::run::report::Row;
use crate::run::{Event, Outcome, Report};

use super::Timed;

/// Makes up a run. Everything follows from one seed, so every run of the tests sees the same.
struct Story {
    seed: u32,
    events: Vec<Timed>,
    gone: Vec<String>,
}

/// Steps of a turn: the step, what it changes, what it then waits for, and about how long it takes.
type Steps = &'static [(&'static str, &'static str, Option<&'static str>, f64)];

const OPERATING_SYSTEM: Steps = &[
    (
        "packages",
        "install iptables, kmod, mount, ca-certificates",
        None,
        9.0,
    ),
    (
        "kernel modules at boot",
        "write /etc/modules-load.d/towline.conf",
        None,
        0.2,
    ),
    (
        "sysctls at boot",
        "write /etc/sysctl.d/99-towline.conf",
        None,
        0.2,
    ),
    (
        "kernel",
        "load overlay, load br_netfilter, set net.ipv4.ip_forward to 1, \
         set net.bridge.bridge-nf-call-iptables to 1, set fs.inotify.max_user_instances to 512",
        None,
        0.7,
    ),
];

const FILES: Steps = &[
    (
        "k3s",
        "put k3s v1.36.3+k3s1 at /usr/local/bin/k3s",
        None,
        7.0,
    ),
    ("commands", "link /usr/local/bin/kubectl to k3s", None, 0.2),
    ("unit", "write /etc/systemd/system/k3s.service", None, 0.3),
];

const SERVER: Steps = &[
    (
        "configuration",
        "write /etc/rancher/k3s/config.yaml",
        None,
        0.3,
    ),
    (
        "service",
        "enable and start k3s",
        Some("k3s to be READY"),
        21.0,
    ),
    (
        "node",
        "",
        Some("the node to be Ready and a voting member of etcd"),
        6.0,
    ),
];

const AGENT: Steps = &[
    (
        "configuration",
        "write /etc/rancher/k3s/config.yaml",
        None,
        0.3,
    ),
    (
        "service",
        "enable and start k3s-agent",
        Some("k3s-agent to be READY"),
        8.0,
    ),
    ("node", "", Some("the node to be Ready"), 5.0),
];

impl Story {
    /// A number from 0 to 1.
    fn chance(&mut self) -> f64 {
        self.seed = self
            .seed
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        f64::from(self.seed >> 8) / f64::from(1 << 24)
    }

    fn tell(&mut self, at: f64, event: Event) {
        self.events.push(Timed { at, event });
    }

    /// A stage, so many hosts at once. Returns when it ends.
    fn stage(
        &mut self,
        at: f64,
        stage: &str,
        hosts: &[String],
        at_once: usize,
        steps: Steps,
    ) -> f64 {
        let hosts: Vec<_> = hosts
            .iter()
            .filter(|host| !self.gone.contains(host))
            .cloned()
            .collect();
        let (name, count) = (stage.to_owned(), hosts.len());
        self.tell(
            at,
            Event::Stage {
                stage: name,
                hosts: count,
            },
        );
        let mut free = vec![at; at_once];
        for host in hosts {
            free.sort_by(f64::total_cmp);
            free[0] = self.turn(free[0], stage, &host, steps);
        }
        free.into_iter().fold(at, f64::max)
    }

    fn turn(&mut self, begun: f64, stage: &str, host: &str, steps: Steps) -> f64 {
        let (host, stage) = (host.to_owned(), stage.to_owned());
        self.tell(
            begun,
            Event::Entered {
                host: host.clone(),
                stage: stage.clone(),
            },
        );
        let slow = if host == "worker-031" { 6.0 } else { 1.0 };
        let mut at = begun;
        for (step, change, until, about) in steps {
            let step = (*step).to_owned();
            let changes: Vec<_> = Some((*change).to_owned())
                .filter(|change| !change.is_empty())
                .into_iter()
                .collect();
            let seconds = about * slow * (0.5 + self.chance());
            at += 0.05;
            if !changes.is_empty() {
                let (host, step, changes) = (host.clone(), step.clone(), changes.clone());
                self.tell(
                    at,
                    Event::Begun {
                        host,
                        step,
                        changes,
                    },
                );
            }
            if let Some(until) = until {
                let (host, step) = (host.clone(), step.clone());
                let until = (*until).to_owned();
                self.tell(at + 0.4, Event::Waiting { host, step, until });
            }
            at += seconds;
            if host == "worker-017" && step == "packages" {
                let problem = locked();
                let left = Event::Left {
                    host: host.clone(),
                    stage,
                    seconds,
                };
                self.tell(at, left);
                self.tell(
                    at,
                    Event::Failed {
                        host: host.clone(),
                        step,
                        problem,
                    },
                );
                self.gone.push(host);
                return at;
            }
            self.tell(
                at,
                Event::Changed {
                    host: host.clone(),
                    step,
                    changes,
                    seconds,
                },
            );
        }
        let seconds = at - begun;
        self.tell(
            at,
            Event::Left {
                host,
                stage,
                seconds,
            },
        );
        at
    }
}

/// The events of the run, with their times.
pub fn story() -> Vec<Timed> {
    let mut story = Story {
        seed: 7,
        events: Vec::new(),
        gone: Vec::new(),
    };
    let servers: Vec<String> = (1..=5).map(|number| format!("control-{number}")).collect();
    let mut agents: Vec<String> = (1..=54)
        .map(|number| format!("worker-{number:03}"))
        .collect();
    agents.push("edge-amsterdam-zuidoost-01".into());
    let all: Vec<String> = servers.iter().chain(&agents).cloned().collect();

    story.tell(0.0, Event::Gathering { hosts: all.clone() });
    for (place, host) in all.iter().enumerate() {
        let at = if place < 32 { 0.01 } else { 0.6 };
        story.tell(
            at,
            Event::Connecting {
                host: host.clone(),
                settings: Vec::new(),
            },
        );
        if host.starts_with("edge") {
            let problem = silent(host);
            story.tell(
                at + 10.0,
                Event::Unreached {
                    host: host.clone(),
                    problem,
                },
            );
            story.gone.push(host.clone());
            continue;
        }
        let seconds = 0.2 + story.chance();
        story.tell(
            at + seconds,
            Event::Reached {
                host: host.clone(),
                seconds,
            },
        );
    }
    story.tell(
        10.8,
        Event::Fetching {
            what: "k3s v1.36.3+k3s1 for x86_64".into(),
        },
    );
    let mut at = story.stage(14.0, "operating system", &all, 32, OPERATING_SYSTEM);
    at = story.stage(at, "k3s files", &all, 32, FILES);
    at = story.stage(at, "first server", &servers[..1], 1, SERVER);
    let reason = "control-1 leads the new cluster; the others can join now".to_owned();
    story.tell(at, Event::Replanning { reason });
    at = story.stage(at + 1.2, "joining servers", &servers[1..], 4, SERVER);
    at = story.stage(at, "agents", &agents, 20, AGENT);
    let server = "https://203.0.113.11:6443".to_owned();
    story.tell(at, Event::Trying { server });
    at += 2.0;
    let rows = all.iter().map(|host| row(host, &servers)).collect();
    story.tell(
        at,
        Event::Finished {
            report: Report {
                rows,
                slowest: Vec::new(),
                timeline: Vec::new(),
                bastion_connections: 0,
                seconds: at,
                trouble: false,
            },
        },
    );
    story
        .events
        .sort_by(|one, other| one.at.total_cmp(&other.at));
    story.events
}

fn locked() -> Problem {
    Problem::new(
        Code::RUN_LOCKED,
        "the command on the host failed (status 100)",
    )
    .because("E: Could not get lock /var/lib/dpkg/lock-frontend")
    .next("when it is free, run the same command again")
}

fn silent(host: &str) -> Problem {
    problem!(
        Code::HOST_UNREACHABLE,
        host = host,
        "203.0.113.77:22 does not answer"
    )
    .because("waited 10 s")
    .next("is the machine on, and does its firewall let port 22 through?")
}

fn row(host: &str, servers: &[String]) -> Row {
    let (outcome, changed, problem) = match host {
        "worker-017" => (Outcome::Failed, 0, Some(locked())),
        _ if host.starts_with("edge") => (Outcome::Unreachable, 0, Some(silent(host))),
        _ => (Outcome::Changed, 9, None),
    };
    let is_server = servers.iter().any(|server| server == host);
    Row {
        host: host.into(),
        role: if is_server { "server" } else { "agent" }.into(),
        outcome,
        changed,
        connections: 1,
        exchanges: 12,
        seconds: 31.0,
        problem,
    }
}
