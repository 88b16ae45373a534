//! A datastore outside the cluster: what its servers are brought for it, and what follows from its being there.

use crate::cluster::Situation;
use crate::facts::{Datastore, PortAnswer};
use crate::inventory::{ExternalDatastore, place};
use crate::problem::{Code, Problem, problem};

/// Its files in a folder of a server, each with its path and its text: the certificates by which the datastore's
/// own is checked, the certificate that is shown to it, and that one's key.
pub(super) fn files(datastore: &ExternalDatastore, folder: &str) -> [Option<(String, String)>; 3] {
    [
        ("datastore-ca.crt", &datastore.ca),
        ("datastore.crt", &datastore.certificate),
        ("datastore.key", &datastore.key),
    ]
    .map(|(name, content)| {
        let content = content.as_ref()?.expose().trim_end();
        Some((format!("{folder}/{name}"), format!("{content}\n")))
    })
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
    let product = situation.rules.product().name;
    Some(match (wanted, has) {
        (Some(wanted), has) => problem!(
            Code::SETTING_FIXED,
            host = name,
            "it keeps its cluster in its own {has}, and the inventory names {}",
            wanted.shown()
        )
        .because(format!(
            "{product} does not move data into a database: it would start there with nothing"
        ))
        .next("leave datastore_endpoint out, or make the cluster anew"),
        (None, _) => problem!(
            Code::SETTING_FIXED,
            host = name,
            "it keeps its cluster in a database outside, and the inventory names none"
        )
        .because(format!(
            "{product} does not move data out of a database: it would start with nothing"
        ))
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
