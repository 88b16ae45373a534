//! In what the unit and the k0s.yaml that towline would write differ from what k0s runs with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cluster::own;
use crate::distribution::Settings;
use crate::distribution::k0s::config::HostOfK0s;
use crate::distribution::k0s::dialect::DIALECT;
use crate::distribution::k0s::flags;
use crate::distribution::k0s::keys::spec;
use crate::distribution::k0s::meaning::{says, set, values};
use crate::distribution::k0s::told::{defaults, kubelet_argument, own_flags, own_yaml, running};
use crate::problem::{Code, Problem, problem};

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

/// In what the files that would be written differ from what k0s runs with.
#[derive(Default)]
pub(super) struct Difference {
    /// Whether k0s has to be started anew for it.
    pub changed: bool,
    /// What is in force and no line of the inventory names.
    pub lost: Value,
    /// Names in the certificate that are lost.
    pub names: BTreeSet<String>,
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
pub(super) fn unit(subject: &HostOfK0s<'_>) -> Difference {
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
pub(super) fn config(subject: &HostOfK0s<'_>, wanted: &Value) -> Result<Difference, Problem> {
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
