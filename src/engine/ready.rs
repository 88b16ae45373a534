//! Waits until all nodes of a cluster are Ready, as the user of a kubeconfig sees them.

use std::path::Path;
use std::time::Instant;

use super::kubeconfig;
use super::refusal::Refusal;
use super::told::Conclusion;
use crate::cli::ReadyArguments;
use crate::distribution;
use crate::kubernetes::kubeconfig::pick;
use crate::kubernetes::verify::{NodeLine, verify};
use crate::problem::{Code, Problem, problem};
use crate::run::Event;
use crate::run::event::Events;
use crate::run::report::Report;

/// Asks the API until all nodes are Ready, as often as it may.
pub async fn ready(
    arguments: &ReadyArguments,
    path: &Path,
    events: &Events,
) -> Result<Conclusion, Refusal> {
    let begun = Instant::now();
    let mut last = None;
    for attempt in 1..=arguments.attempts {
        if attempt > 1 {
            tokio::time::sleep(arguments.pause).await;
        }
        // What makes the cluster may not have written it yet.
        let problem = if path.exists() {
            let picked = pick(path, arguments.context.as_deref())?;
            // A kubeconfig does not tell what made its cluster.
            let units = distribution::ALL.map(|one| one.rules.product().server_unit);
            match verify(&picked, &units, arguments.pause).await {
                Ok(verified) => match missing(&verified.nodes) {
                    None => {
                        let nodes = verified.nodes.into_iter().map(kubeconfig::row);
                        events.send(Event::Ready {
                            context: picked.context.clone(),
                            nodes: nodes.collect(),
                        });
                        return Ok((Report::without_hosts(begun, true), None));
                    }
                    Some(problem) => problem,
                },
                Err(problem) => problem,
            }
        } else {
            problem!(
                Code::KUBECONFIG_MISSING,
                "{} does not exist",
                path.display()
            )
        };
        events.send(Event::NotReady {
            attempt,
            attempts: arguments.attempts,
            problem: problem.clone(),
        });
        last = Some(problem);
    }
    let times = match arguments.attempts {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    if let Some(problem) = last {
        let problem = problem.because(format!("asked {times}"));
        events.send(Event::Trouble { problem });
    }
    Ok((Report::without_hosts(begun, false), None))
}

/// Which nodes are not Ready; a cluster without nodes is not, either.
fn missing(nodes: &[NodeLine]) -> Option<Problem> {
    if nodes.is_empty() {
        return Some(Problem::new(
            Code::NODES_NOT_READY,
            "the cluster has no nodes",
        ));
    }
    let names: Vec<_> = nodes
        .iter()
        .filter(|node| !node.ready)
        .map(|node| node.name.as_str())
        .collect();
    let problem = problem!(Code::NODES_NOT_READY, "not Ready: {}", names.join(", "));
    let lacking: Vec<_> = nodes
        .iter()
        .filter(|node| node.lacks_network)
        .map(|node| node.name.as_str())
        .collect();
    match (names.is_empty(), lacking.is_empty()) {
        (true, _) => None,
        (_, true) => Some(problem),
        _ => Some(problem.because(format!(
            "no network plug-in (CNI) runs on {}",
            lacking.join(", ")
        ))),
    }
}
