//! Which cluster a host belongs to: the one whose certificate authority it trusts. A host of one
//! cluster is never taken for one of another, neither to change it nor to reset it.

use super::Situation;
use crate::facts::Facts;
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};
use crate::shell::quote;

/// The hash of the CA that a host trusts: a server's own, an agent's copy of it, or the one in the
/// token that it joined with.
pub(super) fn authority(situation: &Situation<'_>, facts: &Facts) -> Option<String> {
    let (node, rules) = (&facts.node, situation.rules);
    let file = node.ca_hash.as_ref().or(node.agent_ca_hash.as_ref());
    let joined_with = || Some(rules.token(&rules.told(facts).token?).ca_hash?.to_owned());
    file.cloned().or_else(joined_with)
}

/// Whether a host has ever been in a cluster: it has a server's data, or joined as an agent.
fn belongs(facts: &Facts) -> bool {
    facts.node.datastore.is_some() || facts.node.joined
}

/// Whether a host runs as an agent, or would: whatever the inventory says that it is.
pub fn is_agent(facts: &Facts) -> bool {
    facts.node.agent_unit.exists() && facts.node.datastore.is_none()
}

/// Who says which value, the inventory first.
pub type Claims = Vec<(String, String)>;

/// The first two that say different values.
pub fn differing(claims: &Claims) -> Option<(&str, &str)> {
    let (first, value) = claims.first()?;
    let (other, _) = claims.iter().find(|(_, other)| other != value)?;
    Some((first, other))
}

/// Why hosts cannot be reset together: a server with data, or a host that would be reset, belongs to
/// another cluster than the first of them, or than the token in the inventory.
pub(super) fn other_clusters(situation: &Situation<'_>) -> Option<Problem> {
    let given = situation.inventory.cluster.token.as_ref();
    let given = given.map(|token| situation.rules.token(token.expose()));
    let named = |value: &str| ("the inventory".to_owned(), value.to_owned());
    let (mut authorities, mut tokens) = (Claims::new(), Claims::new());
    authorities.extend(given.iter().filter_map(|given| given.ca_hash).map(named));
    tokens.extend(given.iter().map(|given| named(given.password)));
    for (host, facts) in situation.reached().filter(|(_, facts)| belongs(facts)) {
        let is_server = facts.node.datastore.is_some();
        if !is_server && !situation.selected.contains(&host.name) {
            continue;
        }
        authorities.extend(authority(situation, facts).map(|hash| (host.name.clone(), hash)));
        let token = facts.node.server_token.as_ref().filter(|_| is_server);
        let token = token.map(|token| situation.rules.token(token.expose()).password);
        tokens.extend(token.map(|password| (host.name.clone(), password.to_owned())));
    }
    let (what, (first, other)) = [("cluster CAs", &authorities), ("tokens", &tokens)]
        .into_iter()
        .find_map(|(what, claims)| Some((what, differing(claims)?)))?;
    Some(
        problem!(Code::TWO_CLUSTERS, "two {what}: {first} has one, {other} another")
            .because("they belong to different clusters, and a reset would take the other one apart, too")
            .next("take the hosts that belong elsewhere out of the inventory")
            .next("to reset them as well, use the inventory of their own cluster, or one that names them alone"),
    )
}

/// Why selected agents cannot be changed: they belong to another cluster than the one of `ours`,
/// which is who says a hash of its CA, and that hash. Where one of the hashes is not known, an agent
/// has to know a server of `servers` already.
pub fn agents_elsewhere(
    situation: &Situation<'_>,
    ours: Option<&(String, String)>,
    servers: &[String],
) -> Vec<Problem> {
    let agents = situation.reached().filter(|(host, facts)| {
        let is_agent = !host.is_server() && facts.node.datastore.is_none();
        is_agent && facts.node.joined && situation.selected.contains(&host.name)
    });
    agents
        .filter_map(|(host, facts)| {
            let name = &host.name;
            let server = situation.rules.told(facts).server;
            let problem = match (ours, authority(situation, facts)) {
                (Some((_, hash)), Some(own)) if *hash == own => return None,
                (Some((says, _)), Some(_)) => {
                    let at = server.map_or_else(String::new, |url| format!(", joined at {url}"));
                    problem!(Code::TWO_CLUSTERS, "two cluster CAs: {says} has one, {name} another")
                        .because(format!("{name} is an agent of another cluster{at}"))
                        .next(format!("if this cluster has a new CA, restart {name}, then try again")).on_host(format!("systemctl restart {}", situation.rules.product().agent_unit))
                }
                _ if ours.is_none() && situation.inventory.cluster.server_url.is_none() => {
                    return None;
                }
                _ => {
                    let server = server.filter(|server| !servers.contains(server))?;
                    problem!(Code::OTHER_CLUSTER, host = name, "it is an agent of the cluster at {server}")
                        .because("nothing tells whether that is the cluster that it would join")
                        .next("if it is: give the full token, which begins with K10 and names the cluster's CA")
                }
            };
            Some(to_move(problem.next(to_leave(situation, host)), name))
        })
        .collect()
}

/// What to do about a host that was not meant.
fn to_leave(situation: &Situation<'_>, host: &Host) -> String {
    let name = &host.name;
    if situation.inventory.whole {
        format!("if {name} is to stay where it is: take it out of this inventory")
    } else {
        format!(
            "if {name} is to stay where it is: look at the address of the server that was typed"
        )
    }
}

/// What to do about a host that is to belong to another cluster than it does.
pub fn to_move(problem: Problem, name: &str) -> Problem {
    let words = format!(
        "to move {name} here, take it out of its cluster first, with that cluster's inventory or with one that names {name} alone"
    );
    let command = format!("towline reset -i FILE --limit {}", quote(name));
    problem.next(words).command(command)
}
