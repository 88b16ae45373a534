//! Labels and taints of nodes that run. A kubelet gives them when its node registers, so a server's API
//! is asked to change them afterwards.
//!
//! Only keys that the inventory names are looked at, or that it has named: what a host's own files say
//! was named before. They are written anew after the API has been changed, so that an interrupted run
//! is gone on with by the next.

use std::collections::BTreeMap;

use super::{ClusterState, NodeRole, NodeSpec, Situation, Topology};
use crate::facts::Facts;
use crate::inventory::Host;
use crate::shell::quote;

/// The labels and taints that a node registers with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registration {
    /// The value of each label.
    pub labels: BTreeMap<String, String>,
    /// The value of each taint, by `key:Effect`.
    pub taints: BTreeMap<String, String>,
}

/// What the labels and taints of a node should be; null for what should not be there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NodeMarks {
    /// The node's name.
    pub node: String,
    /// What tells it from a later node of its name.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, Option<String>>,
    /// Its taints, by `key:Effect`.
    pub taints: BTreeMap<String, Option<String>>,
}

/// Labels without which a node is no place for most pods, and which its kubelet gives it when it starts.
const OF_KUBELETS: [&str; 5] = [
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
];

impl Registration {
    /// Reads `key=value` and `key=value:Effect`.
    pub fn read(labels: &[String], taints: &[String]) -> Self {
        let pair = |word: &str| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key.to_owned(), value.to_owned())
        };
        let taint = |word: &String| {
            let (word, effect) = word.rsplit_once(':').unwrap_or((word, ""));
            let (key, value) = pair(word);
            (format!("{key}:{effect}"), value)
        };
        Self {
            labels: labels.iter().map(|word| pair(word)).collect(),
            taints: taints.iter().map(taint).collect(),
        }
    }

    /// What the inventory says of a host.
    fn wanted(host: &Host) -> Self {
        let taints: Vec<_> = host
            .taints
            .iter()
            .map(|taint| taint.value.clone())
            .collect();
        let labels = host.labels.iter();
        Self {
            labels: labels
                .map(|(key, label)| (key.clone(), label.value.clone()))
                .collect(),
            ..Self::read(&[], &taints)
        }
    }

    /// The labels as `key=value`.
    pub fn label_words(&self) -> Vec<String> {
        let labels = self.labels.iter();
        labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect()
    }

    /// The taints as `key=value:Effect`.
    pub fn taint_words(&self) -> Vec<String> {
        let word = |(identity, value): (&String, &String)| match identity.rsplit_once(':') {
            Some((key, effect)) if !value.is_empty() => format!("{key}={value}:{effect}"),
            _ => identity.clone(),
        };
        self.taints.iter().map(word).collect()
    }

    /// The same with all of another, which wins.
    fn with(mut self, other: Self) -> Self {
        self.labels.extend(other.labels);
        self.taints.extend(other.taints);
        self
    }
}

/// What a host's own files are to say of it. As long as no server can be asked to change what a node has,
/// they go on saying what it joined with.
pub(super) fn registration(
    situation: &Situation<'_>,
    state: &ClusterState,
    role: NodeRole,
    (host, facts): (&Host, &Facts),
) -> Registration {
    let wanted = Registration::wanted(host);
    if !facts.node.joined || matches!(role, NodeRole::Leader | NodeRole::Joining) {
        return wanted;
    }
    let own = situation.rules.told(facts).registration;
    match state {
        ClusterState::Running { .. } if situation.keep => own.with(wanted),
        ClusterState::Running { .. } => wanted,
        _ => own,
    }
}

/// The nodes whose labels or taints are to change, and what the user should know of those that no server
/// of the inventory can be asked to change.
pub(super) fn labels(
    situation: &Situation<'_>,
    topology: &Topology,
) -> (Vec<NodeMarks>, Vec<String>) {
    let (mut nodes, mut notes) = (Vec::new(), Vec::new());
    let via = match &topology.state {
        ClusterState::Running { via } => situation.facts.get(via),
        ClusterState::Elsewhere => None,
        _ => return (nodes, notes),
    };
    for (host, facts) in situation.reached().filter(|(_, facts)| facts.node.joined) {
        let Some(spec) = topology.specs.get(&host.name) else {
            continue;
        };
        let own = situation.rules.told(facts).registration;
        let marks = marks(situation, spec, (host, facts), &own);
        match via {
            Some(via) => nodes.extend(differing(topology, via, (spec, facts), marks)),
            None => notes.extend(note(&host.name, &own, &marks)),
        }
    }
    (nodes, notes)
}

/// What the inventory names of a host, and what it named before.
fn marks(
    situation: &Situation<'_>,
    spec: &NodeSpec,
    (host, facts): (&Host, &Facts),
    own: &Registration,
) -> NodeMarks {
    let wanted = Registration::wanted(host);
    // A typed line says nothing of what it does not name, and what another tool named is not the
    // inventory's.
    let is_kept = situation.keep || facts.node.foreign.is_some();
    let all = |own: &BTreeMap<String, String>, wanted: BTreeMap<String, String>| {
        let own = own.keys().filter(|_| !is_kept);
        let own = own.filter(|key| !OF_KUBELETS.contains(&key.as_str()));
        let mut all: BTreeMap<_, _> = own.map(|key| (key.clone(), None)).collect();
        all.extend(wanted.into_iter().map(|(key, value)| (key, Some(value))));
        all
    };
    NodeMarks {
        node: spec.node_name.clone(),
        uid: String::new(),
        labels: all(&own.labels, wanted.labels),
        taints: all(&own.taints, wanted.taints),
    }
}

/// Whether these two are to be made the same.
fn differs(now: &BTreeMap<String, String>, wanted: &BTreeMap<String, Option<String>>) -> bool {
    let mut wanted = wanted.iter();
    wanted.any(|(key, value)| now.get(key) != value.as_ref())
}

/// The marks of a host, where its node runs and has others. One of its name at an address that is not the
/// host's is another machine's.
fn differing(
    topology: &Topology,
    via: &Facts,
    (spec, own): (&NodeSpec, &Facts),
    marks: NodeMarks,
) -> Option<NodeMarks> {
    let is_own = |ip| ip == spec.node_ip || own.has_address(ip);
    let mut nodes = via.node.nodes.iter();
    let node = nodes.find(|node| node.name == marks.node && !node.uid.is_empty())?;
    let is_its_own = spec.has_node && node.internal_ip.is_none_or(is_own);
    let is_forgotten = topology.forget.iter().any(|old| old.uid == node.uid);
    let is_other = differs(&node.labels, &marks.labels) || differs(&node.taints, &marks.taints);
    (is_its_own && !is_forgotten && is_other).then(|| NodeMarks {
        uid: node.uid.clone(),
        ..marks
    })
}

/// What the user should type where labels or taints are not those that a host joined with, and its
/// servers are not in the inventory.
fn note(host: &str, own: &Registration, marks: &NodeMarks) -> Option<String> {
    let mut differing = Vec::new();
    let mut commands = Vec::new();
    for (what, command, own, wanted) in [
        ("labels", "label", &own.labels, &marks.labels),
        ("taints", "taint", &own.taints, &marks.taints),
    ] {
        let changed = wanted
            .iter()
            .filter(|(key, value)| own.get(*key) != value.as_ref());
        // The host's own are what it says that they are: what has other letters is left out.
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:".contains(letter);
        let words: Vec<_> = changed
            .filter(|(key, _)| key.chars().all(is_plain))
            .map(|(key, value)| match (value, key.rsplit_once(':')) {
                (None, _) => format!("{key}-"),
                (Some(value), Some((key, effect))) => format!("{key}={value}:{effect}"),
                (Some(value), None) => format!("{key}={value}"),
            })
            .map(|word| quote(&word))
            .collect();
        if !words.is_empty() {
            differing.push(what);
            let node = quote(&marks.node);
            commands.push(format!(
                "kubectl {command} node {node} --overwrite {}",
                words.join(" ")
            ));
        }
    }
    (!differing.is_empty()).then(|| {
        format!(
            "{host}: its {} differ from those it joined with, and no server of its cluster is in the inventory to change them:  {}",
            differing.join(" and "),
            commands.join("  and  ")
        )
    })
}
