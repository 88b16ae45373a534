//! A datastore outside the cluster: what the servers are told of it, and what follows from its being there.

use serde_json::{Value, json};

use crate::cluster::Situation;
use crate::distribution::Settings;
use crate::facts::{Datastore, PortAnswer};
use crate::inventory::{ExternalDatastore, place};
use crate::problem::{Code, Problem, problem};

/// Its files on a server, with the key of k3s that names each.
fn files(
    datastore: &ExternalDatastore,
) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
    let files = [
        (
            "datastore-cafile",
            "/etc/rancher/k3s/datastore-ca.crt",
            &datastore.ca,
        ),
        (
            "datastore-certfile",
            "/etc/rancher/k3s/datastore.crt",
            &datastore.certificate,
        ),
        (
            "datastore-keyfile",
            "/etc/rancher/k3s/datastore.key",
            &datastore.key,
        ),
    ];
    files
        .into_iter()
        .filter_map(|(key, path, content)| Some((key, path, content.as_ref()?.expose())))
}

/// What config.yaml says of it.
pub(super) fn settings(datastore: &ExternalDatastore) -> Settings {
    let files = files(datastore).map(|(key, path, _)| (key.to_owned(), json!(path)));
    let endpoint = json!(datastore.endpoint.expose());
    files
        .chain([("datastore-endpoint".to_owned(), endpoint)])
        .collect()
}

/// The files that a server is brought, each with `path` and `content`.
pub(super) fn brought(situation: &Situation<'_>) -> Vec<Value> {
    let datastore = situation.inventory.cluster.datastore_endpoint.as_ref();
    let files = datastore.into_iter().flat_map(files);
    files
        .map(|(_, path, content)| json!({"path": path, "content": format!("{}\n", content.trim_end())}))
        .collect()
}

/// What the user should know: where the data is, and what no longer counts.
pub(super) fn note(situation: &Situation<'_>) -> Option<String> {
    let datastore = situation.inventory.cluster.datastore_endpoint.as_ref()?;
    Some(format!(
        "the cluster keeps its data in {}: its servers have no quorum among them, and one that runs is enough; towline neither backs the data up nor removes it",
        datastore.shown()
    ))
}

/// Data does not move from one kind of datastore to another.
pub(super) fn moved(situation: &Situation<'_>) -> Option<Problem> {
    let wanted = situation.inventory.cluster.datastore_endpoint.as_ref();
    let (host, has) = situation.servers().find_map(|(host, facts)| {
        let has = facts.node.datastore?;
        ((has == Datastore::External) != wanted.is_some()).then_some((host, has))
    })?;
    let name = &host.name;
    Some(match (wanted, has) {
        (Some(wanted), has) => problem!(
            Code::SETTING_FIXED,
            host = name,
            "it keeps its cluster in its own {has}, and the inventory names {}",
            wanted.shown()
        )
        .because("k3s does not move data into a database: it would start there with nothing")
        .next("leave datastore_endpoint out, or make the cluster anew"),
        (None, _) => problem!(
            Code::SETTING_FIXED,
            host = name,
            "it keeps its cluster in a database outside, and the inventory names none"
        )
        .because("k3s does not move data out of a database: it would start with nothing")
        .next("let the inventory name it")
        .inventory("cluster: {datastore_endpoint: {env: DATASTORE_ENDPOINT}}"),
    })
}

/// Servers that the datastore does not answer.
pub(super) fn unreached(situation: &Situation<'_>) -> Vec<Problem> {
    let Some(datastore) = &situation.inventory.cluster.datastore_endpoint else {
        return Vec::new();
    };
    let product = datastore.product.name();
    let mut problems = Vec::new();
    for (host, facts) in situation.servers() {
        let answers: Vec<_> = datastore
            .places
            .iter()
            .filter_map(|at| Some((place(at), *facts.services.get(&place(at))?)))
            .collect();
        // Of several, one is enough to begin with.
        if answers.is_empty()
            || answers
                .iter()
                .any(|(_, answer)| *answer == PortAnswer::Open)
        {
            continue;
        }
        let said = answers.iter().map(|(place, answer)| {
            let why = match answer {
                PortAnswer::Open => "it answers",
                PortAnswer::Refused => "the connection is refused",
                PortAnswer::Unreachable => "no route to the host",
                PortAnswer::Silent => "no answer",
                PortAnswer::Unnamed => "the name is not known there",
                PortAnswer::TurnedAway => {
                    "it takes no connection from this host: no user of its may come from there, or it has too many"
                }
                PortAnswer::Other => "what answers there is something else",
            };
            format!("{place}: {why}")
        });
        let said: Vec<_> = said.collect();
        problems.push(
            problem!(
                Code::DATASTORE_UNREACHED,
                host = &host.name,
                "it does not reach {product}, the cluster's datastore"
            )
            .because(said.join("; "))
            .next("let it be reached from every server: a firewall may drop it, or it listens on its own machine alone")
            .next("look at the address in  cluster: {datastore_endpoint: …}"),
        );
    }
    problems
}
