//! The tokens of a cluster: given, read from a server that has them, or made.

use std::fmt::Write as _;

use serde_json::Value;

use super::authority::{Claims, agents_elsewhere, differing, is_agent, to_move};
use super::force::effective_config;
use super::{LATER, Situation};
use crate::distribution::k3s::settings::matters_only_at_first_start;
use crate::distribution::k3s::token::{ca_hash, full_token, token_fault, token_password};
use crate::facts::Facts;
use crate::inventory::Role;
use crate::problem::{Code, Problem};
use crate::vars::Secret;

/// Tokens for a cluster that has none yet; made once per run, before any plan.
#[derive(Debug, Clone)]
pub struct GeneratedTokens {
    /// For servers.
    pub server: Secret,
    /// For agents.
    pub agent: Secret,
}

impl GeneratedTokens {
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
    /// Whether the inventory or a server said the servers' token: otherwise it is a fresh one, by
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

/// The value of a key in a host's own config.yaml, when it is one word; a token of digits is a
/// number for YAML and text for k3s.
pub(super) fn configured(facts: &Facts, key: &str) -> Option<String> {
    match observed(facts).get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What a host is told: by its own config.yaml, and where something else set k3s up, by all that
/// this left. What cannot be read makes the host unfit before anything is decided from it.
pub(super) fn observed(facts: &Facts) -> serde_json::Map<String, Value> {
    let read = match facts.node.foreign {
        Some(_) => effective_config(facts),
        None => own_config(facts),
    };
    read.unwrap_or_default()
}

/// No config.yaml is longer; a longer one was cut off on its way here.
const LONGEST_CONFIG: usize = 200_000;

/// A host's own config.yaml as its keys.
///
/// # Errors
/// Why it cannot be read, without any of its content.
pub(super) fn own_config(facts: &Facts) -> Result<serde_json::Map<String, Value>, String> {
    read_config(facts.node.config.as_ref().map_or("", Secret::expose))
}

/// The text of a config.yaml as its keys.
pub(super) fn read_config(text: &str) -> Result<serde_json::Map<String, Value>, String> {
    if text.len() > LONGEST_CONFIG {
        return Err(format!("is longer than {LONGEST_CONFIG} bytes"));
    }
    if text.contains('\u{fffd}') {
        return Err("is not text in UTF-8".into());
    }
    if text.is_empty() {
        return Ok(serde_json::Map::new());
    }
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Object(keys)) => {
            let unusable = keys.iter().find(|(key, value)| !is_usable(key, value));
            match unusable.map(|(key, _)| key.clone()) {
                Some(key) => Err(format!("has a value for {key} that k3s does not take")),
                None => Ok(keys),
            }
        }
        Ok(Value::Null) => Ok(serde_json::Map::new()),
        Ok(_) => Err("is YAML, but no keys with values".into()),
        Err(error) => Err(match error.location() {
            Some(place) => format!("is not YAML, line {}", place.line()),
            None => "is not YAML".into(),
        }),
    }
}

/// Whether a value that is kept from a host's own config.yaml has the form that k3s takes.
fn is_usable(key: &str, value: &Value) -> bool {
    let is_word = |value: &Value| match value {
        Value::String(text) => text.len() <= 4096 && !text.contains(char::is_control),
        Value::Number(_) => true,
        _ => false,
    };
    match key.trim_end_matches('+') {
        "cluster-init" => value.is_boolean() || value == "true" || value == "false",
        "node-label" | "node-taint" => match value {
            Value::Array(items) => items.len() <= 1000 && items.iter().all(is_word),
            other => is_word(other),
        },
        key if matters_only_at_first_start(key) || key == "node-name" => is_word(value),
        _ => true,
    }
}

/// Finds the tokens in force. `urls` are the addresses that servers of the cluster are known under.
///
/// # Errors
/// Two tokens or two cluster CAs, with the hosts that have them: these are two clusters.
pub(super) fn tokens(situation: &Situation<'_>, urls: &[String]) -> Result<Tokens, Vec<Problem>> {
    let cluster = &situation.inventory.cluster;
    let mut servers = Claims::new();
    let mut agents = Claims::new();
    let mut authorities = Claims::new();
    let mut problems = Vec::new();
    let given = "look at the token in the inventory, or in the file that it names";
    if let Some(token) = &cluster.token {
        problems.extend(faulty("the inventory", "token", token.expose(), given));
        servers.push((
            "the inventory".into(),
            token_password(token.expose()).into(),
        ));
        authorities
            .extend(ca_hash(token.expose()).map(|hash| ("the inventory".into(), hash.into())));
    }
    if let Some(token) = &cluster.agent_token {
        problems.extend(faulty(
            "the inventory",
            "agent token",
            token.expose(),
            given,
        ));
        agents.push((
            "the inventory".into(),
            token_password(token.expose()).into(),
        ));
    }
    let found = "look at /var/lib/rancher/k3s/server and /etc/rancher/k3s/config.yaml on the host";
    // A host that is an agent has an agent's token, whatever the inventory says that it is.
    for (host, facts) in situation.servers().filter(|(_, facts)| !is_agent(facts)) {
        let own = facts
            .node
            .server_token
            .as_ref()
            .map(|token| token.expose().to_owned());
        if let Some(token) = own.or_else(|| configured(facts, "token")) {
            problems.extend(faulty(&host.name, "token", &token, found));
            servers.push((host.name.clone(), token_password(&token).into()));
        }
        let own = facts
            .node
            .agent_token
            .as_ref()
            .map(|token| token.expose().to_owned());
        if let Some(token) = own.or_else(|| configured(facts, "agent-token")) {
            problems.extend(faulty(&host.name, "agent token", &token, found));
            agents.push((host.name.clone(), token_password(&token).into()));
        }
        authorities.extend(
            facts
                .node
                .ca_hash
                .clone()
                .map(|hash| (host.name.clone(), hash)),
        );
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
    // A cluster that runs without an agent token keeps doing so: k3s takes a new one only with a
    // restart of every server.
    let runs = situation
        .servers()
        .any(|(_, facts)| facts.node.datastore.is_some());
    let agent = first(&agents)
        .or_else(|| (!runs && cluster.server_url.is_none()).then(|| situation.fresh.agent.clone()));
    Ok(Tokens {
        known: server.is_some(),
        server: server.unwrap_or_else(|| situation.fresh.server.clone()),
        agent,
        ca_hash: authorities.first().map(|(_, hash)| hash.clone()),
    })
}

/// A host's token goes to other hosts, so it has to have the form of one.
fn faulty(host: &str, what: &str, token: &str, next: &str) -> Option<Problem> {
    let fault = token_fault(token)?;
    Some(
        Problem::new(
            Code::TOKEN_INVALID,
            format!("{host}: the {what} that it has cannot be one"),
        )
        .because(format!("it {fault}"))
        .next(next),
    )
}

fn differ(found: &Claims, what: &str, why: &str) -> Option<Problem> {
    let (first, other) = differing(found)?;
    let problem = Problem::new(
        Code::TOKENS_DIFFER,
        format!("{what}: {first} has one, {other} another"),
    )
    .because(why)
    .next("take the hosts that belong elsewhere out of the inventory");
    Some(if first == "the inventory" {
        problem.next("if the token in the inventory is an old one, correct it")
    } else {
        problem.next(to_move(other))
    })
}
