//! The keys of all hosts, shown at once, and recorded where they are known to be right.

use std::path::Path;

use super::connect::Waypoint;
use super::context::Context;
use super::refusal::Refusal;
use super::told::Conclusion;
use crate::problem::{Code, Problem, problem};
use crate::run::Event;
use crate::run::event::{HostKeyRow, HostKeyState};
use crate::run::report::Report;
use crate::ssh::{ConnectError, Fingerprints, ShownHostKey, entry_name};
use crate::ui::ask::NewHost;

/// What came of the look at a host's key.
type Looked = Result<(ShownHostKey, HostKeyState), ConnectError>;

/// Reads a file of fingerprints.
///
/// # Errors
/// It cannot be read, or one of its lines is no host key.
pub fn fingerprints(file: &Path) -> Result<Fingerprints, Problem> {
    let place = file.display();
    let text = std::fs::read(file).map_err(|error| {
        problem!(Code::FILE_UNREADABLE, "{place} cannot be read").because(error)
    })?;
    Fingerprints::read(&String::from_utf8_lossy(&text)).map_err(|line| {
        problem!(Code::FLAG_VALUE, "{place}:{line}: this is no host key")
            .because("a line is one of `ssh-keygen -l`, `ssh-keyscan` or `known_hosts`, or `SHA256:…`")
            .because("a host's name may stand before a fingerprint, which then counts for this host only")
    })
}

/// Shows the keys of the hosts and of those before them; records those that are listed or that the user
/// takes.
pub async fn trust(
    context: &Context,
    listed: Option<(&Path, &Fingerprints)>,
) -> Result<Conclusion, Refusal> {
    let hosts = context.inventory.hosts.iter();
    let hosts = hosts.filter(|host| context.selected.contains(&host.name));
    let ways = &context.connector.ways(hosts);
    let mut looked: Vec<Option<Looked>> = ways.iter().map(|_| None).collect();
    loop {
        // A host behind another one is seen only when that one is trusted.
        let is_next = |(index, hop): (usize, &Waypoint)| {
            let is_open = |bastion: usize| matches!(looked[bastion], Some(Ok(_)));
            (looked[index].is_none() && hop.bastion.is_none_or(is_open)).then_some(index)
        };
        let next: Vec<usize> = ways.iter().enumerate().filter_map(is_next).collect();
        if next.is_empty() {
            break;
        }
        let keys = next.iter().map(|index| look(context, &ways[*index], None));
        let keys = context
            .or_interrupted(async { Ok(futures::future::join_all(keys).await) })
            .await?;
        let unknown: Vec<(usize, ShownHostKey)> = { next.iter().zip(&keys) }
            .filter_map(|(index, key)| {
                let error = key.as_ref().err().filter(|error| error.is_unknown)?;
                Some((*index, error.shown_key.clone()?))
            })
            .collect();
        for (index, key) in next.into_iter().zip(keys) {
            looked[index] = Some(key);
        }
        let list = listed.map(|(_, list)| list);
        if list.is_none() {
            ask(context, ways, &unknown).await;
        }
        let taken = unknown
            .iter()
            .filter(|(index, shown)| context.connector.takes(&ways[*index], shown, list));
        let recorded = taken.map(|(index, shown)| async move {
            (*index, look(context, &ways[*index], Some(shown)).await)
        });
        for (index, key) in futures::future::join_all(recorded).await {
            looked[index] = Some(key);
        }
    }
    Ok(told(context, ways, looked, listed.map(|(file, _)| file)))
}

async fn look(context: &Context, hop: &Waypoint, accepted: Option<&ShownHostKey>) -> Looked {
    let _permit = context.limit.acquire().await;
    let state = match accepted {
        None => HostKeyState::Known,
        Some(_) => HostKeyState::Recorded,
    };
    let shown = context.connector.key_shown(hop, accepted).await?;
    Ok((shown, state))
}

/// Asks the user about those that are not taken anyway.
async fn ask(context: &Context, ways: &[Waypoint], unknown: &[(usize, ShownHostKey)]) {
    let ssh = &context.connector;
    let asked = unknown
        .iter()
        .filter(|(index, shown)| !ssh.takes(&ways[*index], shown, None));
    let asked = asked.map(|(index, shown)| NewHost {
        name: ways[*index].host.name.clone(),
        address: ways[*index].host.address.clone(),
        kind: shown.key_type.clone(),
        fingerprint: shown.fingerprint.clone(),
    });
    let asked = asked.collect();
    context.events.told().await;
    ssh.ask(asked, context.interrupt.clone()).await;
}

/// Tells the keys as a table, then what is wrong with them.
fn told(
    context: &Context,
    ways: &[Waypoint],
    looked: Vec<Option<Looked>>,
    file: Option<&Path>,
) -> Conclusion {
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    let (mut unknown, mut doubts) = (Vec::new(), Vec::new());
    for (hop, looked) in ways.iter().zip(looked) {
        let host = hop.host.name.clone();
        let (shown, state) = match looked {
            Some(Ok((shown, state))) => (Some(shown), state),
            Some(Err(error)) => {
                let state = match error.problem.code {
                    _ if error.is_unknown => HostKeyState::Unknown,
                    Code::HOST_KEY_CHANGED => HostKeyState::Changed,
                    Code::HOST_KEY_REVOKED => HostKeyState::Revoked,
                    _ => HostKeyState::Unreached,
                };
                if error.is_unknown {
                    // The first only says what it shows.
                    let why = error.problem.why.iter().skip(1);
                    doubts.extend(why.map(|why| format!("{host}: {why}")));
                    unknown.push(host.clone());
                } else {
                    problems.push((host.clone(), *error.problem));
                }
                (error.shown_key, state)
            }
            None => {
                doubts.push(format!("{host} shows its key when its bastion is trusted"));
                (None, HostKeyState::Unreached)
            }
        };
        let (key_type, fingerprint) = shown
            .map(|shown| (shown.key_type, shown.fingerprint))
            .unzip();
        keys.push(HostKeyRow {
            host,
            address: entry_name(&hop.host.address, hop.host.ssh.port.value),
            key_type,
            fingerprint,
            state,
        });
    }
    let is_good =
        |key: &HostKeyRow| matches!(key.state, HostKeyState::Known | HostKeyState::Recorded);
    let is_good = keys.iter().all(is_good);
    context.events.send(Event::HostKeys { keys });
    for (host, problem) in problems {
        context.events.send(Event::Unreached { host, problem });
    }
    if !unknown.is_empty() {
        let problem = not_known(&unknown, file);
        let problem = doubts.into_iter().fold(problem, Problem::because);
        context.events.send(Event::Trouble { problem });
    }
    (Report::without_hosts(context.begun, is_good), None)
}

fn not_known(hosts: &[String], file: Option<&Path>) -> Problem {
    let names = hosts.join(", ");
    let problem = problem!(
        Code::HOST_KEY_UNKNOWN,
        "these host keys are not known: {names}"
    );
    match file {
        Some(file) => problem.because(format!("{} does not list them", file.display())),
        None => problem
            .next("compare the fingerprints with what this prints on each host's own console")
            .on_host("ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub")
            .next("then answer yes on a terminal, or list those that are right in a file")
            .flag("--fingerprints FILE"),
    }
}
