//! `towline kubeconfig`: the cluster's kubeconfig, tried from here.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{Environment, KubeconfigArguments};
use crate::cluster::Stage;
use crate::distribution::k3s::settings::API_PORT;
use crate::error::{ExitCode, Problem};
use crate::inventory::Role;
use crate::kubernetes::kubeconfig::{rewrite, server_url, write};
use crate::kubernetes::verify::verify;
use crate::run::Event;
use crate::run::event::{Events, NodeRow};
use crate::run::gather;
use crate::ui::Ui;

use super::road::{Road, Survey};
use super::{Refusal, absolute};

/// k3s puts a new name into its certificate at the first handshake that asks for it, and the other
/// servers follow some seconds later.
const PATIENCE: Duration = Duration::from_secs(45);

pub(super) async fn run(
    arguments: KubeconfigArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    let (events, receiver) = Events::channel();
    let teller = tokio::spawn(ui.clone().tell(receiver));
    let result = async {
        let road = Road::new(&arguments.hosts, environment, &ui, events).await?;
        let survey = road.survey().await?;
        fetch(&road, &survey, &arguments)
            .await
            .map_err(Refusal::from)
    }
    .await;
    let _ = teller.await;
    match result {
        Ok(path) => {
            if ui.format == crate::ui::Format::Plain {
                ui.out(&format!(
                    "\n  export KUBECONFIG={}",
                    crate::shell::quote(&path.to_string_lossy())
                ));
            }
            ExitCode::Success
        }
        Err(Refusal::Problems(problems)) => {
            for problem in &problems {
                ui.problem(problem);
            }
            ExitCode::Failed
        }
        Err(refusal) => refusal.tell(&ui),
    }
}

/// Takes the kubeconfig of a live server, writes it with an address that works from here, and tries
/// it with a real request.
pub(super) async fn fetch(
    road: &Road,
    survey: &Survey,
    arguments: &KubeconfigArguments,
) -> Result<PathBuf, Problem> {
    let (host, source) = source(road, survey).await?;
    let cluster = &road.inventory.cluster;
    let address = cluster.endpoint.as_deref().unwrap_or(&host.address);
    let server = server_url(address, API_PORT);
    let context = arguments.context.as_deref().unwrap_or(&cluster.name);
    let kubeconfig = rewrite(source.expose(), &server, context)?;
    let default = || PathBuf::from(format!("{}.kubeconfig", cluster.name));
    let path = absolute(arguments.kubeconfig.clone().unwrap_or_else(default));
    write(&path, &kubeconfig)?;
    let verified = verify(&kubeconfig, PATIENCE).await.map_err(|error| {
        error.problem().because(format!(
            "the kubeconfig was written to {} all the same",
            path.display()
        ))
    })?;
    let nodes = verified
        .nodes
        .into_iter()
        .map(|node| NodeRow {
            name: node.name,
            ready: node.ready,
            roles: node.roles.join(","),
            version: node.kubelet_version,
            internal_ip: node.internal_ip.unwrap_or_default(),
        })
        .collect();
    road.events.send(Event::Kubeconfig {
        path: path.display().to_string(),
        server,
        nodes,
    });
    Ok(path)
}

/// A server that answers, with its kubeconfig: known from the first exchange where the cluster
/// already ran, asked for where it has only just begun to.
async fn source<'a>(
    road: &'a Road,
    survey: &Survey,
) -> Result<(&'a crate::inventory::Host, crate::vars::Secret), Problem> {
    let servers = road
        .inventory
        .hosts
        .iter()
        .filter(|host| host.role.value == Role::Server);
    let mut candidates: Vec<_> = servers.collect();
    if let Stage::Running { via } | Stage::New { leader: via } = &survey.shape.stage {
        candidates.sort_by_key(|host| host.name != *via);
    }
    for host in candidates {
        let facts = survey
            .gathered
            .reach
            .get(&host.name)
            .and_then(|reach| reach.facts());
        if let Some(source) = facts.and_then(|facts| facts.k3s.kubeconfig.clone()) {
            return Ok((host, source));
        }
        let Some(remote) = survey.gathered.remotes.get(&host.name) else {
            continue;
        };
        if let Ok(facts) = gather::facts(host, &**remote).await
            && let Some(source) = facts.k3s.kubeconfig
        {
            return Ok((host, source));
        }
    }
    Err(Problem::new("no server has a kubeconfig to give")
        .next("towline deploy makes the cluster first"))
}
