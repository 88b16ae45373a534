//! Taking over a host on which something else set up k0s: `k0s install` by hand, or k0sctl.
//!
//! What k0s is told there moves into towline's unit and k0s.yaml. Where they mean what it runs with,
//! nothing is restarted. What the inventory does not name needs a line in it.

use serde_json::{Value, json};

use self::difference::{Difference, config, unit};
use super::config::{HostOfK0s, SPEC};
use super::flags::is_known;
use super::meaning::{set, values};
use super::told::{file, own_command, own_flags, running};
use super::unit::is_strange;
use crate::distribution::Settings;
use crate::facts::{Datastore, ForeignUnit};
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};
use crate::shell::quote;
use crate::vars::mask::holds_a_secret;

mod difference;

/// Why a host that something else set up is left alone.
pub(super) fn left_alone(host: &Host, foreign: &ForeignUnit) -> Problem {
    problem!(
        Code::SET_UP_ELSEWHERE,
        host = &host.name,
        "k0s was set up here by something else, and is left as it is"
    )
    .because(format!(
        "the unit {} was not written by towline, which would write it and k0s.yaml anew",
        foreign.unit
    ))
    .next("to see what taking it over would change")
    .command("towline plan")
    .next("to take it over, controller by controller")
    .command("towline deploy --adopt")
}

/// A host that is taken over.
pub(super) struct Adoption {
    /// Whether k0s does already what its new files say, so that no restart is owed.
    pub effective: bool,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// What taking a host over means; `settings` is what it would be told.
///
/// # Errors
/// Why it cannot be taken over as it is.
pub(super) fn adoption(
    subject: &HostOfK0s<'_>,
    foreign: &ForeignUnit,
    settings: &Settings,
) -> Result<Adoption, Problem> {
    fit(subject, foreign)?;
    let unit = unit(subject);
    let config = match settings.get(SPEC) {
        Some(wanted) => config(subject, wanted)?,
        None => Difference::default(),
    };
    if !unit.lost.is_null() || !config.lost.is_null() || !config.names.is_empty() {
        return Err(needs_lines(subject.host, &unit, &config));
    }
    Ok(Adoption {
        effective: !unit.changed && !config.changed,
        notes: notes(subject),
    })
}

/// Whether its unit and what runs there are of the kind that can be taken over.
fn fit(subject: &HostOfK0s<'_>, foreign: &ForeignUnit) -> Result<(), Problem> {
    let (host, facts) = (subject.host, subject.facts);
    let (name, unit) = (&host.name, &foreign.unit);
    let unsupported = |what: String| problem!(Code::ADOPTION_UNSUPPORTED, host = name, "{what}");
    if let Some(why) = is_strange(unit, foreign.text.expose(), host.role.value) {
        return Err(unsupported(format!("its unit {unit} {why}"))
            .because("towline writes the unit anew, and what it does not know would be lost")
            .next("move such lines into a drop-in of the unit, which stays")
            .on_host(format!("systemctl edit {unit}")));
    }
    if let Some(files) = file(facts, "commands") {
        let files = files.split_whitespace().collect::<Vec<_>>().join(", ");
        return Err(unsupported(format!(
            "a drop-in of its unit {unit} has an ExecStart: {files}"
        ))
        .because("it would hold instead of that of towline's unit")
        .next("move its flags into the unit itself, restart it, then try again"));
    }
    let own = own_flags(facts);
    let is_unknown = |key: &&String| !is_known(key, host.role.value);
    let unknown: Vec<_> = own
        .keys()
        .filter(is_unknown)
        .map(|key| format!("--{key}"))
        .collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(unsupported(format!(
            "its unit {unit} has flags that towline does not know: {unknown}"
        ))
        .next("take them out of the unit, restart it, then try again"));
    }
    if !host.is_server() || !facts.has_data() {
        return Ok(());
    }
    let Some(running) = running(facts) else {
        return Err(unsupported(
            "k0s does not run here, so it cannot be known what it runs with".to_owned(),
        )
        .next("start it, then try again")
        .on_host(format!("systemctl start {unit}")));
    };
    if let (Some(path), None) = (
        own.get("config").and_then(Value::as_str),
        &facts.node.config,
    ) {
        return Err(problem!(
            Code::NODE_CONFIG_UNREADABLE,
            host = name,
            "its unit {unit} names {path}, which cannot be read"
        )
        .next("put it back, or take the flag out of the unit"));
    }
    if own.get("enable-worker") == Some(&json!(true)) && !subject.has_node() {
        return Err(problem!(
            Code::ADOPTION_CHANGES_SETTINGS,
            host = name,
            "a kubelet runs here, and its role in the inventory has none ({})",
            host.role.origin
        )
        .because("its node and the pods on it would be left behind")
        .next("write its role as it is")
        .inventory(format!("hosts: {{{name}: {{role: controller+worker}}}}")));
    }
    let member = running
        .pointer("/storage/etcd/extraArgs/name")
        .and_then(Value::as_str);
    let member = member.unwrap_or(&facts.hostname);
    let node = subject.situation.node_name(host, facts);
    if facts.node.datastore == Some(Datastore::Etcd) && member != node {
        return Err(unsupported(format!(
            "its member of etcd is called {member}, and its node {node}"
        ))
        .because("towline knows a member by the name of its node")
        .next("let this controller join anew: reset it, then deploy it again"));
    }
    Ok(())
}

/// The lines that the inventory lacks.
fn needs_lines(host: &Host, unit: &Difference, config: &Difference) -> Problem {
    let name = &host.name;
    let mut keys: Vec<String> = values(&unit.lost).into_keys().collect();
    keys.extend(
        values(&config.lost)
            .into_keys()
            .map(|key| format!("/spec{key}")),
    );
    keys.extend((!config.names.is_empty()).then(|| "/spec/api/sans".to_owned()));
    let keys: Vec<_> = keys
        .iter()
        .map(|key| key.trim_start_matches('/').replace('/', "."))
        .collect();
    let mut problem = problem!(
        Code::ADOPTION_CHANGES_SETTINGS,
        host = name,
        "these settings of k0s are missing from the inventory and would be lost: {}",
        keys.join(", ")
    )
    .because("an inventory is the whole truth of its cluster");
    if !config.names.is_empty() {
        problem = problem
            .next("add to `tls_sans` under `cluster`")
            .inventory(json!(config.names).to_string());
    }
    if !config.lost.is_null() {
        problem = problem.next("write under `cluster`").inventory(format!(
            "config: {{spec: {}}}",
            without_secrets(&config.lost)
        ));
    }
    if let Value::Object(flags) = &without_secrets(&unit.lost) {
        let lines = flags.iter().map(|(key, value)| format!("{key}: {value}"));
        problem = problem
            .next(format!(
                "write under `config` of {name}, or once for all hosts that share it"
            ))
            .inventory(lines.collect::<Vec<_>>().join("\n"));
    }
    problem
        .next("what may go is written as")
        .inventory("KEY: null")
}

/// Values as they may be shown.
fn without_secrets(tree: &Value) -> Value {
    let mut shown = Value::Null;
    for (path, value) in values(tree) {
        let key = path.rsplit('/').next().unwrap_or_default();
        let is_one = |word: &Value| {
            let text = word
                .as_str()
                .map_or_else(|| word.to_string(), str::to_owned);
            ["dataSource", "authPass"].contains(&key) || holds_a_secret(key, &text)
        };
        let hidden = || json!("a secret; it stands on the host");
        let value = match value {
            Value::Array(items) => {
                let items = items.iter();
                let items = items.map(|item| if is_one(item) { hidden() } else { item.clone() });
                items.collect()
            }
            value if is_one(value) => hidden(),
            value => value.clone(),
        };
        set(&mut shown, &path, value);
    }
    shown
}

/// What the user should know of how it was set up.
fn notes(subject: &HostOfK0s<'_>) -> Vec<String> {
    let (name, facts) = (&subject.host.name, subject.facts);
    let text = facts.node.config.as_ref().map_or("", |text| text.expose());
    let mut notes = Vec::new();
    if text.starts_with("# generated-by-k0sctl") {
        notes.push(format!("{name}: k0sctl wrote its k0s.yaml; once it is taken over, k0sctl must not be used for it any more: it would write its own again"));
    }
    let own = own_flags(facts);
    let token = own.get("token-file").and_then(Value::as_str);
    if let Some(path) = token.filter(|path| *path != "/etc/k0s/k0stoken") {
        notes.push(format!("{name}: the token that it joined with is in {path}; k0s does not need that file any more: remove it, and on a controller  k0s token list  shows whether the token is still valid"));
    }
    let (told, wanted) = (&own, subject.flags());
    let is_on = |flags: &Settings| flags.get("no-taints") == Some(&json!(true));
    if subject.host.is_server()
        && subject.has_node()
        && facts.node.joined
        && is_on(told) != is_on(&wanted)
    {
        let (has, means, dash) = if is_on(told) {
            ("no", "one", "")
        } else {
            ("the", "none", "-")
        };
        let node = quote(&subject.situation.node_name(subject.host, facts));
        notes.push(format!("{name}: its node joined with {has} taint of the control plane, and its role means {means}; k0s gives it at the join only:  kubectl taint node {node} node-role.kubernetes.io/control-plane:NoSchedule{dash}"));
    }
    let path = own_command(facts).into_iter().next().unwrap_or_default();
    if path != "/usr/local/bin/k0s" {
        notes.push(format!(
            "{name}: k0s runs from {path}; from its next start on it is /usr/local/bin/k0s"
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
