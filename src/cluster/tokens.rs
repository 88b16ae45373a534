//! The tokens of a cluster: given, read from a server that has them, or made.

use std::fmt::Write as _;

use serde_json::Value;

use super::{LATER, Situation};
use crate::distribution::k3s::token::{ca_hash, full_token, token_password};
use crate::error::Problem;
use crate::facts::Facts;
use crate::inventory::Role;
use crate::vars::Secret;

/// Tokens for a cluster that has none yet; made once per run, before any plan.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// For servers.
    pub server: Secret,
    /// For agents.
    pub agent: Secret,
}

impl Fresh {
    /// New tokens of 128 random bits each, as hex digits.
    pub fn generate() -> Self {
        let one = || {
            let bytes: [u8; 16] = rand::random();
            Secret::new(&bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            }))
        };
        Self {
            server: one(),
            agent: one(),
        }
    }
}

/// The tokens that are in force.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Password of the servers' token.
    pub server: Secret,
    /// Password of the agents' token, when there is one apart.
    pub agent: Option<Secret>,
    /// Hash of the cluster's CA, once a server has it.
    pub ca_hash: Option<String>,
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

/// The value of a key in a host's own config.yaml, when it is text.
pub(super) fn configured(facts: &Facts, key: &str) -> Option<String> {
    observed(facts).get(key)?.as_str().map(str::to_owned)
}

/// A host's own config.yaml; empty when there is none or it cannot be read.
pub(super) fn observed(facts: &Facts) -> serde_json::Map<String, Value> {
    let text = facts.k3s.config.as_ref().map(Secret::expose);
    text.and_then(|text| serde_yaml::from_str(text).ok())
        .unwrap_or_default()
}

/// Finds the tokens in force.
///
/// # Errors
/// Two tokens or two cluster CAs, with the hosts that have them: these are two clusters.
pub(super) fn tokens(situation: &Situation<'_>) -> Result<Tokens, Vec<Problem>> {
    let cluster = &situation.inventory.cluster;
    let mut servers: Vec<(String, String)> = Vec::new();
    let mut agents: Vec<(String, String)> = Vec::new();
    let mut authorities: Vec<(String, String)> = Vec::new();
    if let Some(token) = &cluster.token {
        servers.push((
            "the inventory".into(),
            token_password(token.expose()).into(),
        ));
        authorities
            .extend(ca_hash(token.expose()).map(|hash| ("the inventory".into(), hash.into())));
    }
    if let Some(token) = &cluster.agent_token {
        agents.push((
            "the inventory".into(),
            token_password(token.expose()).into(),
        ));
    }
    for (host, facts) in situation.servers() {
        let own = facts
            .k3s
            .server_token
            .as_ref()
            .map(|token| token.expose().to_owned());
        if let Some(token) = own.or_else(|| configured(facts, "token")) {
            servers.push((host.name.clone(), token_password(&token).into()));
        }
        let own = facts
            .k3s
            .agent_token
            .as_ref()
            .map(|token| token.expose().to_owned());
        if let Some(token) = own.or_else(|| configured(facts, "agent-token")) {
            agents.push((host.name.clone(), token_password(&token).into()));
        }
        authorities.extend(
            facts
                .k3s
                .ca_hash
                .clone()
                .map(|hash| (host.name.clone(), hash)),
        );
    }
    let problems: Vec<_> = [
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
    ]
    .into_iter()
    .flatten()
    .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let first = |found: &[(String, String)]| found.first().map(|(_, value)| Secret::new(value));
    let server = first(&servers);
    // A cluster that runs without an agent token keeps doing so: k3s takes a new one only with a
    // restart of every server.
    let runs = situation
        .servers()
        .any(|(_, facts)| facts.k3s.datastore.is_some());
    let agent = first(&agents)
        .or_else(|| (!runs && cluster.server_url.is_none()).then(|| situation.fresh.agent.clone()));
    Ok(Tokens {
        server: server.unwrap_or_else(|| situation.fresh.server.clone()),
        agent,
        ca_hash: authorities.first().map(|(_, hash)| hash.clone()),
    })
}

fn differ(found: &[(String, String)], what: &str, why: &str) -> Option<Problem> {
    let (first, value) = found.first()?;
    let (other, _) = found.iter().find(|(_, other)| other != value)?;
    Some(
        Problem::new(format!("{what}: {first} has one, {other} another"))
            .because(why)
            .next("take the hosts that belong elsewhere out of the inventory, or wipe them"),
    )
}
