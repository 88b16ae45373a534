//! `towline ready`: waits until all nodes of a cluster are Ready.

use crate::cli::{Environment, ReadyArguments};
use crate::error::{ExitCode, Problem};
use crate::kubernetes::kubeconfig::pick;
use crate::kubernetes::verify::{NodeLine, verify};
use crate::ui::Ui;

pub(super) async fn run(
    arguments: &ReadyArguments,
    environment: &Environment,
    ui: &Ui,
) -> ExitCode {
    let path = arguments
        .kubeconfig
        .clone()
        .or_else(|| environment.kubeconfigs.first().cloned())
        .unwrap_or_else(|| environment.home.join(".kube/config"));
    let kubeconfig = match pick(&path, arguments.context.as_deref()) {
        Ok(kubeconfig) => kubeconfig,
        Err(problem) => {
            ui.problem(&problem);
            return ExitCode::Refused;
        }
    };
    let mut last = Problem::new("nobody was asked");
    for attempt in 0..arguments.attempts {
        if attempt > 0 {
            tokio::time::sleep(arguments.pause).await;
        }
        match verify(&kubeconfig, arguments.pause).await {
            Ok(verified) => match missing(&verified.nodes) {
                None => {
                    ui.out(&format!(
                        "{}: all {} nodes are Ready",
                        kubeconfig.context(),
                        verified.nodes.len()
                    ));
                    return ExitCode::Success;
                }
                Some(problem) => last = problem,
            },
            Err(error) => last = error.problem(),
        }
        if ui.verbosity >= 0 {
            ui.out(&format!(
                "{} of {}: {}",
                attempt + 1,
                arguments.attempts,
                last.what
            ));
        }
    }
    ui.problem(&last.because(format!("asked {} times", arguments.attempts)));
    ExitCode::Failed
}

/// Which nodes are not Ready; a cluster without nodes is not, either.
fn missing(nodes: &[NodeLine]) -> Option<Problem> {
    if nodes.is_empty() {
        return Some(Problem::new("the cluster has no nodes"));
    }
    let names: Vec<_> = nodes
        .iter()
        .filter(|node| !node.ready)
        .map(|node| node.name.as_str())
        .collect();
    (!names.is_empty()).then(|| Problem::new(format!("not Ready: {}", names.join(", "))))
}
