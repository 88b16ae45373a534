//! Taking over a host on which something else set up k0s: `k0s install` by hand, or k0sctl.
//!
//! What k0s is told there moves into towline's unit and k0s.yaml. Where they mean what it runs with,
//! nothing is restarted. What the inventory does not name needs a line in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::config::{HostOfK0s, SPEC};
use super::dialect::DIALECT;
use super::flags::{self, is_known};
use super::keys::spec;
use super::meaning::{says, set, values};
use super::told::{defaults, file, kubelet_argument, own_command, own_flags, own_yaml, running};
use super::unit::is_strange;
use crate::cluster::own;
use crate::distribution::Settings;
use crate::facts::{Datastore, ForeignUnit};
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};
use crate::shell::quote;
use crate::vars::names_a_secret;

/// Flags that are about files of towline's own, or matter only when a node registers.
const APART: [&str; 6] = [
    "config",
    "token-file",
    "labels",
    "taints",
    "no-taints",
    "verbose",
];

/// Flags with the values that they have where they are not given.
const USUAL: [(&str, &str); 4] = [
    ("data-dir", "/var/lib/k0s"),
    ("iptables-mode", "auto"),
    ("profile", "default"),
    ("status-socket", "/run/k0s/status.sock"),
];

/// How much is logged where `--logging` says nothing of a component.
const LOGGING: [&str; 7] = [
    "containerd=info",
    "etcd=info",
    "konnectivity-server=1",
    "kube-apiserver=1",
    "kube-controller-manager=1",
    "kube-scheduler=1",
    "kubelet=1",
];

/// What towline writes into each controller's k0s.yaml by itself.
const OWN: [&str; 4] = [
    "/api/address",
    "/storage/type",
    "/storage/etcd/peerAddress",
    "/storage/etcd/extraArgs/name",
];

/// What stands in a controller's k0s.yaml where its cluster has the rest (`--enable-dynamic-config`;
/// `pkg/apis/k0s/v1beta1/clusterconfig_types.go`, `GetClusterWideConfig`).
const OF_NODE: [&str; 7] = [
    "/api/",
    "/storage/",
    "/installConfig",
    "/network/serviceCIDR",
    "/network/clusterDomain",
    "/network/controlPlaneLoadBalancing",
    "/network/primaryAddressFamily",
];

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
    let known = |key: &&String| !is_known(key, host.role.value);
    let unknown: Vec<_> = own
        .keys()
        .filter(known)
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

/// In what the files that would be written differ from what k0s runs with.
#[derive(Default)]
struct Difference {
    /// Whether k0s has to be started anew for it.
    changed: bool,
    /// What is in force and no line of the inventory names.
    lost: Value,
    /// Names in the certificate that are lost.
    names: BTreeSet<String>,
}

/// Flags as they can be compared: without what is as it would be anyway.
fn comparable(flags: &Settings) -> BTreeMap<String, BTreeSet<String>> {
    let is_on = |key: &str| flags.get(key) == Some(&json!(true));
    let usual = |key: &str, words: &BTreeSet<String>| {
        let usual = USUAL.iter().find(|(flag, _)| *flag == key);
        usual.is_some_and(|(_, value)| words.iter().eq([value]))
    };
    let all = flags.iter().filter(|(key, _)| {
        let implied = *key == "enable-worker" && is_on("single");
        !APART.contains(&key.as_str()) && !implied
    });
    let all = all
        .filter(|(_, value)| **value != json!(false))
        .map(|(key, value)| {
            let between = if key.ends_with("-args") { ' ' } else { ',' };
            let words = flags::words(value);
            let words = words.iter().flat_map(|word| word.split(between));
            let words = words.filter(|word| !word.is_empty());
            let mut words: BTreeSet<_> = words.map(str::to_owned).collect();
            if key == "logging" {
                words.retain(|word| !LOGGING.contains(&word.as_str()));
            }
            (key.clone(), words)
        });
    all.filter(|(key, words)| !words.is_empty() && !usual(key, words))
        .collect()
}

/// What stands before `=` in an argument.
fn argument(word: &str) -> &str {
    word.split('=').next().unwrap_or(word)
}

/// In what towline's unit differs from the one that is there.
fn unit(subject: &HostOfK0s<'_>) -> Difference {
    let (host, facts) = (subject.host, subject.facts);
    let (told, wanted) = (own_flags(facts), subject.flags());
    let (mut own, mut new) = (comparable(&told), comparable(&wanted));
    let kubelet = "kubelet-extra-args";
    // A kubelet finds its address and its name by itself where it is told none.
    let node_ip = own_address(subject).map(|address| format!("--node-ip={address}"));
    let hostname = format!("--hostname-override={}", facts.hostname.to_lowercase());
    for (words, other) in [(&mut own, &told), (&mut new, &wanted)] {
        let words = words.entry(kubelet.to_owned()).or_default();
        words.remove(&hostname);
        if kubelet_argument(other, "node-ip").is_none() {
            words.extend(node_ip.clone());
        }
    }
    let usual = |flags: &Settings| {
        let data = flags
            .get("data-dir")
            .and_then(Value::as_str)
            .unwrap_or(DIALECT.data_dir);
        format!("{data}/kubelet")
    };
    for (words, flags) in [(&mut own, &told), (&mut new, &wanted)] {
        words
            .entry("kubelet-root-dir".to_owned())
            .or_insert_with(|| BTreeSet::from([usual(flags)]));
    }
    let mut lost = Value::Null;
    let cluster = &subject.situation.inventory.cluster;
    let shared = if host.is_server() {
        &cluster.config
    } else {
        &cluster.agent_config
    };
    let named = |key: &str| {
        host.config
            .get(key)
            .map(|setting| &setting.value)
            .or(shared.get(key))
    };
    let of_towline = ["--node-ip", "--hostname-override"];
    // Whether a host has a node is said by its role.
    let of_role = ["enable-worker", "single"];
    for (key, words) in &own {
        let there = new.get(key).cloned().unwrap_or_default();
        if key == kubelet {
            let said = named(key).map(flags::words).unwrap_or_default().join(" ");
            let said: BTreeSet<_> = said.split_whitespace().map(argument).collect();
            let is_there = |word: &str| there.iter().any(|new| argument(new) == argument(word));
            let mut gone = words.iter().filter(|word| !is_there(word));
            if gone.any(|word| !said.contains(argument(word))) {
                let own = words.iter().filter(|word| !is_there(word));
                let all = own
                    .chain(&there)
                    .filter(|word| !of_towline.contains(&argument(word)));
                lost[key] = all.cloned().collect();
            }
        } else if there != *words && named(key).is_none() && !of_role.contains(&key.as_str()) {
            lost[key] = told.get(key).cloned().unwrap_or_else(|| json!(words));
        }
    }
    Difference {
        changed: own != new,
        lost,
        names: BTreeSet::new(),
    }
}

/// The address of its node, as the cluster knows it.
fn own_address(subject: &HostOfK0s<'_>) -> Option<String> {
    let situation = subject.situation;
    let name = situation.node_name(subject.host, subject.facts);
    let mut nodes = situation.servers().flat_map(|(_, facts)| &facts.node.nodes);
    let listed = nodes
        .find(|node| node.name == name)
        .and_then(|node| node.internal_ip);
    let own = listed.or_else(|| own(situation, subject.host, subject.facts))?;
    Some(own.to_string())
}

/// In what a controller's new k0s.yaml differs from what it runs with.
fn config(subject: &HostOfK0s<'_>, wanted: &Value) -> Result<Difference, Problem> {
    let (host, facts, inventory) = (subject.host, subject.facts, subject.situation.inventory);
    let unreadable = |why: String| {
        problem!(
            Code::NODE_CONFIG_UNREADABLE,
            host = &host.name,
            "its k0s.yaml {why}"
        )
    };
    let told = own_yaml(facts).map_err(unreadable)?;
    let told = told.get("spec").cloned().unwrap_or_default();
    let Some(running) = running(facts) else {
        // It was never started.
        return Ok(Difference {
            changed: true,
            ..Difference::default()
        });
    };
    let defaults = defaults(facts);
    let is_dynamic = |flags: &Settings| flags.get("enable-dynamic-config") == Some(&json!(true));
    let is_of_cluster = is_dynamic(&own_flags(facts)) && is_dynamic(&subject.flags());
    let counts = |path: &str| !is_of_cluster || OF_NODE.iter().any(|part| path.starts_with(part));
    let is_named = |path: &str| spec(inventory, path).is_some();
    let mut all = Difference::default();
    for (path, value) in values(wanted) {
        if path == "/api/sans" || !counts(&path) {
            continue;
        }
        let has = running.pointer(&path);
        let is_same = match value {
            Value::Null => defaults.pointer(&path).is_none_or(|usual| says(has, usual)),
            value => says(has, value),
        };
        if is_same {
            continue;
        }
        if is_named(&path) || OWN.contains(&path.as_str()) {
            all.changed = true;
        } else {
            set(&mut all.lost, &path, has.cloned().unwrap_or(json!(false)));
        }
    }
    for (path, value) in values(&told) {
        let is_there = wanted.pointer(&path).is_some() || OWN.contains(&path.as_str());
        if is_there || path == "/api/sans" || !counts(&path) || says(defaults.pointer(&path), value)
        {
            continue;
        }
        // What was named above it, as nothing, is to go.
        let mut above = path.as_str();
        let is_to_go = loop {
            let Some((before, _)) = above.rsplit_once('/') else {
                break false;
            };
            above = before;
            if !above.is_empty()
                && wanted
                    .pointer(above)
                    .is_some_and(|value| !value.is_object())
            {
                break true;
            }
        };
        if is_to_go {
            all.changed = true;
        } else if !value.is_null() {
            set(&mut all.lost, &path, value.clone());
        }
    }
    let names = |spec: &Value| -> BTreeSet<String> {
        let names = spec.pointer("/api/sans").map(flags::words);
        names.unwrap_or_default().into_iter().collect()
    };
    // k0s finds these by itself.
    let mut certified = names(&running);
    certified.extend(
        facts
            .addresses
            .iter()
            .map(|(_, net)| net.addr().to_string()),
    );
    certified.extend(["localhost", "127.0.0.1"].map(str::to_owned));
    certified.insert(facts.hostname.clone());
    certified.extend(
        wanted
            .pointer("/api/externalAddress")
            .map(|name| flags::words(name).concat()),
    );
    all.changed |= !names(wanted).is_subset(&certified);
    // Each controller's own addresses stand in its own certificate.
    let hosts = inventory.hosts.iter().flat_map(|host| {
        let facts = subject.situation.facts.get(&host.name);
        let own = facts.into_iter().flat_map(|facts| &facts.addresses);
        let own = own.map(|(_, net)| net.addr().to_string());
        own.chain([host.address.clone()])
    });
    let hosts: BTreeSet<String> = hosts
        .chain(["127.0.0.1", "localhost"].map(str::to_owned))
        .collect();
    let there = names(wanted);
    let gone = names(&told)
        .into_iter()
        .filter(|name| !there.contains(name) && !hosts.contains(name) && *name != facts.hostname);
    all.names = gone.collect();
    Ok(all)
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
    if let Value::Object(flags) = &unit.lost {
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
        let is_secret = names_a_secret(key) || key == "dataSource" || key == "authPass";
        let value = if is_secret {
            json!("a secret; it stands on the host")
        } else {
            value.clone()
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
