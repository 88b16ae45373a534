//! Connecting and the first question: what cannot be used is said, host by host.

use std::net::IpAddr;

use super::*;
use crate::inventory::{Host, Inventory, Overrides, parse};
use crate::problem::{Code, Problem};
use crate::run::gather::{Gathered, Unreached, gather, refresh};
use crate::run::{Connected, Connector};
use crate::vars::Redactor;

/// A server whose config.yaml says `data-dir: /data/k3s`.
const ELSEWHERE: &str = "hostname=m1\nconfig=base64:ZGF0YS1kaXI6IC9kYXRhL2szcwo=\ncomplete=yes\n";

const FACTS: &str = "hostname=m1\nserver_token=base64:c2VjcmV0b25lMQ==\ncomplete=yes\n";

/// Answers the first question by the name of the host.
struct Door;

/// A host that says one thing first and another later.
struct Answers(Vec<CommandOutput>, AtomicU32);

impl Remote for Answers {
    fn run<'a>(&'a self, script: &'a Script) -> Answer<'a> {
        let count = self.1.fetch_add(1, Ordering::Relaxed) as usize;
        let mut output = self.0[count.min(self.0.len() - 1)].clone();
        let nonce = script
            .text
            .split("printf '\\n")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        output.stdout = output.stdout.replace("NONCE", nonce.unwrap_or_default());
        Box::pin(async { output })
    }

    fn put<'a>(&'a self, _: &'a Upload, _: UploadProgress<'a>) -> Answer<'a> {
        unreachable!("nothing is sent")
    }

    fn counts(&self) -> ExchangeCounts {
        ExchangeCounts {
            connections: 1,
            ..ExchangeCounts::default()
        }
    }

    fn peer(&self) -> Option<IpAddr> {
        "192.0.2.7".parse().ok()
    }
}

fn output(exit: Exit, stdout: &str, stderr: &str) -> CommandOutput {
    let framed = format!("\nNONCE begin 0\n{stdout}\nNONCE error 0 0\n\nNONCE end 0\n");
    CommandOutput {
        exit,
        stdout: if stdout.is_empty() {
            String::new()
        } else {
            framed
        },
        stderr: stderr.into(),
        start: Duration::ZERO,
    }
}

impl Connector for Door {
    fn connect<'a>(&'a self, host: &'a Host) -> Connected<'a> {
        let code = |status, said: &str| vec![output(Exit::Code(status), "", said)];
        let answers = match host.name.as_str() {
            "panics" => panic!("a mistake in the program"),
            "away" => {
                let problem = Problem::new(Code::INTERNAL, "no answer");
                let unreached = Unreached {
                    outcome: Outcome::Unreachable,
                    problem,
                };
                return Box::pin(async { Err(unreached) });
            }
            "password" => code(1, "sudo: a password is required\n"),
            "sudoers" => code(1, "bob is not in the sudoers file\n"),
            "strange" => vec![output(Exit::Code(0), "hostname=x\n", "")],
            "cut" => vec![output(Exit::Code(0), "", "")],
            "leaves" => vec![
                output(Exit::Code(0), FACTS, ""),
                output(Exit::Lost("the network is down".into()), "", ""),
            ],
            "elsewhere" => vec![
                output(Exit::Code(0), ELSEWHERE, ""),
                output(Exit::Code(0), &format!("datastore=etcd\n{ELSEWHERE}"), ""),
            ],
            "nameless" | "loaded" => {
                let resolver =
                    "sudo: unable to resolve host m1: Temporary failure in name resolution\n";
                let said = if host.name == "nameless" {
                    resolver
                } else {
                    ""
                };
                let mut slow = output(Exit::Code(0), FACTS, said);
                slow.start = Duration::from_millis(5100);
                vec![slow, output(Exit::Code(0), FACTS, "")]
            }
            "late" => {
                let mut slow = output(Exit::Code(0), "hostname=m1\nclock=1\ncomplete=yes\n", "");
                slow.start = Duration::from_millis(2100);
                vec![slow]
            }
            "nowhere" => vec![output(Exit::Code(0), ELSEWHERE, "")],
            _ => vec![output(Exit::Code(0), FACTS, "")],
        };
        let remote: Arc<dyn Remote> = Arc::new(Answers(answers, AtomicU32::new(0)));
        Box::pin(async { Ok(remote) })
    }
}

async fn gathered(names: &[&str]) -> (Inventory, Gathered, Redactor) {
    let (inventory, gathered, redactor, _) = told(names).await;
    (inventory, gathered, redactor)
}

/// The same, with what was noted.
async fn told(names: &[&str]) -> (Inventory, Gathered, Redactor, Vec<String>) {
    let hosts: String = (1..)
        .zip(names)
        .map(|(number, name)| format!("  {name}: {{address: 10.0.0.{number}, role: server}}\n"))
        .collect();
    let inventory = parse(
        &format!("cluster: {{allow_two_servers: true}}\nhosts:\n{hosts}"),
        std::path::Path::new("x"),
        None,
        &Overrides::default(),
    )
    .unwrap_or_else(|errors| panic!("{}", errors.render(false, 100)));
    let (events, mut receiver) = Events::channel();
    let (redactor, limit) = (Redactor::default(), Arc::new(Semaphore::new(2)));
    let gathered = gather(&inventory, Arc::new(Door), &limit, &events, &redactor).await;
    let events = receiver.drain().into_iter();
    let mut notes: Vec<_> = events
        .filter_map(|event| match event {
            Event::Note { text } => Some(text),
            _ => None,
        })
        .collect();
    notes.sort();
    (inventory, gathered, redactor, notes)
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_commands_start_late_or_whose_clock_is_wrong_is_noted_once() {
    // The second time the commands of `loaded` start at once.
    let (_, gathered, _, notes) = told(&["fine", "nameless", "loaded", "late"]).await;
    assert_eq!(gathered.unreached.len(), 0);
    assert_eq!(notes.len(), 3, "{notes:#?}");
    assert!(notes[0].starts_with("late: every command takes 2.1 s to start there; look at"));
    assert!(notes[1].starts_with("late: its clock is "), "{}", notes[1]);
    assert!(
        notes[1].contains(" days behind this machine's"),
        "{}",
        notes[1]
    );
    assert_eq!(
        notes[2],
        "nameless: every command takes 5.1 s to start there, since sudo cannot resolve the host's \
         own name; on the host, as root:\necho '127.0.1.1 m1' >> /etc/hosts"
    );
}

#[tokio::test(start_paused = true)]
async fn one_host_of_no_use_costs_the_others_nothing() {
    let names = [
        "fine", "away", "panics", "password", "sudoers", "strange", "cut",
    ];
    let (_, gathered, redactor) = gathered(&names).await;
    let fine = &gathered.facts["fine"];
    assert_eq!(fine.reached_at, "192.0.2.7".parse().ok());
    let said: Vec<_> = gathered
        .unreached
        .iter()
        .map(|(host, unreached)| {
            (
                host.as_str(),
                unreached.outcome,
                unreached.problem.what.as_str(),
            )
        })
        .collect();
    let user = "root";
    assert_eq!(
        said,
        [
            ("away", Outcome::Unreachable, "no answer"),
            (
                "cut",
                Outcome::Failed,
                "its answer about itself was cut short"
            ),
            ("panics", Outcome::Failed, "towline itself failed"),
            (
                "password",
                Outcome::Failed,
                &format!("sudo asks {user} for a password")
            ),
            (
                "strange",
                Outcome::Failed,
                "the answer about the host ended early"
            ),
            (
                "sudoers",
                Outcome::Failed,
                &format!("{user} is not allowed to become root")
            ),
        ]
    );
    assert_eq!(gathered.facts.len(), 1);
    assert_eq!(
        redactor.clean("the token is secretone1"),
        "the token is ***"
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_gone_when_it_is_asked_again_counts_as_not_reached() {
    let (inventory, mut gathered, redactor) = gathered(&["stays", "leaves"]).await;
    assert!(gathered.unreached.is_empty());
    refresh(&inventory, &mut gathered, &redactor).await;
    assert!(gathered.facts.contains_key("stays"));
    assert!(!gathered.facts.contains_key("leaves"));
    assert!(gathered.unreached.contains_key("leaves"));
}

#[tokio::test]
async fn data_is_looked_for_where_k3s_is_told_that_it_is() {
    let (_, gathered, _) = gathered(&["elsewhere", "nowhere", "m1"]).await;
    let found = |name: &str| {
        let facts = &gathered.facts[name];
        (
            facts.node.data_dir.to_string(),
            facts.node.datastore.is_some(),
        )
    };
    assert_eq!(found("elsewhere"), ("/data/k3s".into(), true));
    let usual = ("/var/lib/rancher/k3s".into(), false);
    assert_eq!(
        found("nowhere"),
        usual,
        "there is nothing to be left behind"
    );
    assert_eq!(found("m1"), usual);
}

#[test]
fn a_host_with_50_000_secrets_costs_no_time_in_which_nobody_can_be_interrupted() {
    use crate::facts::{DropIn, Facts};
    use crate::vars::Secret;
    let mut facts = Facts::default();
    facts.node.drop_ins = (0..10)
        .map(|file| {
            let keys = (0..5000).map(|key| format!("t{key}token: x{file}{key:0>9}\n"));
            DropIn {
                name: format!("{file}.yaml"),
                text: Secret::new(&keys.collect::<String>()),
            }
        })
        .collect();
    let (redactor, begun) = (Redactor::default(), std::time::Instant::now());
    super::super::gather::learn(&crate::distribution::k3s::DISTRIBUTION, &facts, &redactor);
    redactor.clean("x0000000001");
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}
