//! The tokens of a cluster: given, read from a server that has them, or made.

use super::effective::{configured, observed};
use super::token::{ca_hash, full_token, token_fault, token_password};
use crate::cluster::{Claims, LATER, Situation, agents_elsewhere, differing, is_agent, to_move};
use crate::distribution::JoinToken;
use crate::facts::Facts;
use crate::inventory::Role;
use crate::problem::{Code, Problem, problem};
use crate::vars::Secret;

/// The tokens that are in force.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Password of the servers' token.
    pub server: Secret,
    /// Password of the agents' token, when there is one apart.
    pub agent: Option<Secret>,
    /// Hash of the cluster's CA, once a server has it.
    pub ca_hash: Option<String>,
    /// Whether the inventory or a server said the servers' token: otherwise it is a generated one, by
    /// which nothing can be called wrong.
    pub known: bool,
}

impl Tokens {
    /// What a joining host's config.yaml says as `token`.
    pub fn for_join(&self, role: Role) -> String {
        let Some(hash) = &self.ca_hash else {
            return LATER.to_owned();
        };
        let token = match (role, &self.agent) {
            (Role::Agent, Some(agent)) => full_token(hash, "node", agent.expose()),
            _ => full_token(hash, "server", self.server.expose()),
        };
        token.expose().to_owned()
    }
}

/// Tokens for a cluster that has none: for servers, and for agents. Each has 128 random bits.
pub(super) fn generate() -> Vec<Secret> {
    let token = |random: u128| Secret::new(&format!("{random:032x}"));
    [rand::random(), rand::random()].map(token).to_vec()
}

/// The token by which hosts of a role join a server's cluster: where agents have none of their own, the
/// servers' lets them in.
pub(super) fn kept(facts: &Facts, role: Role) -> JoinToken {
    let node = &facts.node;
    let own = node.agent_token.as_ref().filter(|_| role == Role::Agent);
    match own.or(node.server_token.as_ref()) {
        Some(token) => JoinToken::Kept(token.clone()),
        None => JoinToken::Missing(format!(
            "{}/server/token is missing: no server of a cluster has run on it",
            node.data_dir
        )),
    }
}

/// Finds the tokens in force. `urls` are the addresses that servers of the cluster are known under.
///
/// # Errors
/// Two tokens or two cluster CAs, with the hosts that have them: these are two clusters.
pub(super) fn tokens(situation: &Situation<'_>, urls: &[String]) -> Result<Tokens, Vec<Problem>> {
    let cluster = &situation.inventory.cluster;
    let (mut servers, mut agents, mut authorities) = (Claims::new(), Claims::new(), Claims::new());
    let mut problems = Vec::new();
    let mut claim = |host: &str, token: Option<&str>, what: &str, next: &str, all: &mut Claims| {
        if let Some(token) = token {
            problems.extend(faulty(host, what, token, next));
            all.push((host.to_owned(), token_password(token).to_owned()));
        }
    };
    let given = "look at the token in the inventory, or in the file that it names";
    let here = "the inventory";
    let token = cluster.token.as_ref().map(Secret::expose);
    claim(here, token, "token", given, &mut servers);
    let hash = token.and_then(ca_hash);
    authorities.extend(hash.map(|hash| (here.to_owned(), hash.to_owned())));
    let token = cluster.agent_token.as_ref().map(Secret::expose);
    claim(here, token, "agent token", given, &mut agents);
    let found = "look at /var/lib/rancher/k3s/server and /etc/rancher/k3s/config.yaml on the host";
    // A host that is an agent has an agent's token, whatever the inventory says that it is.
    for (host, facts) in situation.servers().filter(|(_, facts)| !is_agent(facts)) {
        let (told, node) = (observed(facts), &facts.node);
        for (own, key, what, all) in [
            (&node.server_token, "token", "token", &mut servers),
            (&node.agent_token, "agent-token", "agent token", &mut agents),
        ] {
            let own = own.as_ref().map(|own| own.expose().to_owned());
            let token = own.or_else(|| configured(&told, key));
            claim(&host.name, token.as_deref(), what, found, all);
        }
        let hash = node.ca_hash.clone();
        authorities.extend(hash.map(|hash| (host.name.clone(), hash)));
    }
    let differences = [
        differ(
            &servers,
            "two tokens",
            "a token tells which cluster a server belongs to",
        ),
        differ(
            &agents,
            "two agent tokens",
            "all servers of a cluster accept the same one",
        ),
        differ(
            &authorities,
            "two cluster CAs",
            "these servers belong to different clusters",
        ),
    ];
    problems.extend(differences.into_iter().flatten());
    problems.extend(agents_elsewhere(situation, authorities.first(), urls));
    if !problems.is_empty() {
        return Err(problems);
    }
    let first = |found: &[(String, String)]| found.first().map(|(_, value)| Secret::new(value));
    let server = first(&servers);
    let generated = |nth: usize| situation.generated.get(nth).cloned();
    // A cluster that runs without an agent token keeps doing so: k3s takes a new one only with a
    // restart of every server.
    let runs = situation
        .servers()
        .any(|(_, facts)| facts.node.datastore.is_some());
    // One that comes back from a snapshot has the token that is in it.
    let is_new = !runs && !situation.restores && cluster.server_url.is_none();
    let of_agents = || agents_own(situation).filter(|_| situation.restores);
    let agent = first(&agents)
        .or_else(of_agents)
        .or_else(|| generated(1).filter(|_| is_new));
    Ok(Tokens {
        known: server.is_some(),
        server: server
            .or_else(|| generated(0))
            .unwrap_or_else(|| Secret::new("")),
        agent,
        ca_hash: authorities.first().map(|(_, hash)| hash.clone()),
    })
}

/// The password that agents join with where they have a token of their own: as the inventory, a server, or an agent
/// has it.
pub(super) fn agent_token(situation: &Situation<'_>) -> Option<Secret> {
    let given = situation.inventory.cluster.agent_token.clone();
    let kept = || {
        let mut servers = situation.servers();
        servers.find_map(|(_, facts)| facts.node.agent_token.clone())
    };
    let token = given.or_else(kept).or_else(|| agents_own(situation))?;
    Some(Secret::new(token_password(token.expose())))
}

/// The same as an agent has it: in its full form, which says that it is one of agents.
fn agents_own(situation: &Situation<'_>) -> Option<Secret> {
    let mut agents = situation.reached().filter(|(host, _)| !host.is_server());
    agents.find_map(|(_, facts)| {
        let token = configured(&observed(facts), "token")?;
        let is_own = token.contains("::node:") && token_fault(&token).is_none();
        is_own.then(|| Secret::new(token_password(&token)))
    })
}

/// A host's token goes to other hosts, so it has to have the form of one.
fn faulty(host: &str, what: &str, token: &str, next: &str) -> Option<Problem> {
    let fault = token_fault(token)?;
    Some(
        problem!(
            Code::TOKEN_INVALID,
            host = host,
            "the {what} that it has cannot be one"
        )
        .because(format!("it {fault}"))
        .next(next),
    )
}

fn differ(found: &Claims, what: &str, why: &str) -> Option<Problem> {
    let (first, other) = differing(found)?;
    let problem = problem!(
        Code::TOKENS_DIFFER,
        "{what}: {first} has one, {other} another"
    )
    .because(why)
    .next("take the hosts that belong elsewhere out of the inventory");
    Some(if first == "the inventory" {
        problem.next("if the token in the inventory is an old one, correct it")
    } else {
        to_move(problem, other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_tokens_are_random_and_never_shown() {
        let all = [generate(), generate()].concat();
        let texts: std::collections::BTreeSet<_> = all.iter().map(Secret::expose).collect();
        assert!(texts.len() == 4 && texts.iter().all(|text| text.len() == 32));
        let shown = format!("{all:?}");
        assert!(!texts.iter().any(|text| shown.contains(text)), "{shown}");
    }
}
