//! From a host's `key=value` lines to [`Facts`].

use std::collections::BTreeMap;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{
    ClusterNode, Datastore, Disk, DropIn, Facts, ForeignUnit, NodeFacts, OperatingSystem,
    OtherKubernetes, Questions, Unit,
};
use crate::digest::is_sha256;
use crate::inventory::{DataDir, is_manifest_name};
use crate::kubernetes::lacks_network;
use crate::shell::{Reply, decode};
use crate::vars::Secret;

impl Facts {
    /// Reads the answer to [`Questions::facts`] about that folder.
    ///
    /// # Errors
    /// A sentence that says what the answer lacks, when the host did not answer in the expected
    /// form.
    pub fn parse(reply: &Reply, questions: &Questions, data_dir: &DataDir) -> Result<Self, String> {
        if reply.value("complete") != Some("yes") {
            let said = match reply.stderr.lines().last() {
                Some(line) => format!("; it said: {}", brief(line)),
                None => String::new(),
            };
            return Err(format!("the answer about the host ended early{said}"));
        }
        let text = |key: &str| brief(reply.value(key).unwrap_or_default().trim_start());
        // Of what was asked for, whatever else is said.
        let listed = |key: &str, known: &[&str]| {
            let known = known.iter();
            let said = known.filter(|name| reply.values(key).any(|said| said == **name));
            said.map(|name| (*name).to_owned()).collect()
        };
        Ok(Self {
            hostname: text("hostname"),
            machine_id: text("machine_id"),
            boot_id: text("boot_id"),
            uptime: Duration::try_from_secs_f64(text("uptime").parse().unwrap_or(0.0))
                .unwrap_or_default(),
            clock: text("clock").parse().unwrap_or_default(),
            architecture: text("architecture"),
            kernel: text("kernel"),
            memory_kib: text("memory_kib").parse().unwrap_or_default(),
            os: OperatingSystem {
                id: text("os_id"),
                like: text("os_like"),
                version: text("os_version"),
                name: text("os_name"),
            },
            systemd: reply.value("init") == Some("systemd"),
            cgroup: text("cgroup").parse().unwrap_or(1),
            missing_controllers: listed("missing_controller", questions.controllers),
            // A path that the user is told to type is one of those that were looked for.
            cmdline: reply
                .value("cmdline")
                .filter(|path| ["/boot/firmware/cmdline.txt", "/boot/cmdline.txt"].contains(path))
                .map(str::to_owned),
            ipv6: reply.value("ipv6").is_some(),
            missing: listed("missing", &super::TOOLS),
            ufw: reply.value("ufw").is_some(),
            kubernetes: reply
                .values("kubernetes")
                .filter(|unit| !questions.units.contains(unit))
                .find_map(OtherKubernetes::of),
            addresses: reply
                .values("address")
                .take(MOST)
                .filter_map(address)
                .collect(),
            reached_at: None,
            reaches: BTreeMap::new(),
            services: BTreeMap::new(),
            // A period divides the names of sysctls.
            advertised: reply
                .values("advertised")
                .filter(|name| is_interface(name) && !name.contains(['.', '@']))
                .take(MOST)
                .map(str::to_owned)
                .collect(),
            default_interface: Some(text("default_interface"))
                .filter(|name| is_interface(name))
                .unwrap_or_default(),
            disk: Disk {
                free_kib: text("data_free_kib").parse().ok(),
                free_inodes: text("data_free_inodes").parse().ok(),
                read_only: reply.value("data_read_only").is_some(),
            },
            node: node_facts(reply, questions, data_dir),
        })
    }
}

/// A cluster has no more nodes than this.
const MOST_NODES: usize = 5000;

/// Of so many addresses, files and ranges of a host is read; one that says more floods.
const MOST: usize = 256;

/// What is read of a line of text: as long as a path may be in a message.
fn brief(text: &str) -> String {
    let text: String = text.chars().take(256).collect();
    text.trim().to_owned()
}

/// A word that another machine chose: what holds anything else is none.
pub(super) fn word(text: &str) -> String {
    let is_word = text.len() <= 253 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_word { text } else { "" }.to_owned()
}

/// Whether an interface is called like one: the name goes into files of configuration.
fn is_interface(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+@".contains(&byte);
    (1..16).contains(&name.len()) && name.bytes().all(allowed)
}

fn address(line: &str) -> Option<(String, ipnet::IpNet)> {
    let (interface, net) = line.split_once(' ')?;
    if !is_interface(interface) {
        return None;
    }
    // An address with a peer is told without the length of its network.
    let net = net
        .parse()
        .or_else(|_| net.parse::<std::net::IpAddr>().map(ipnet::IpNet::from))
        .ok()?;
    Some((interface.to_owned(), net))
}

/// The longest packed value: of a file of 256 KiB, as much as is asked for.
pub(super) const LONGEST_PACKED: usize = 400 * 1024;

/// What travelled packed. What is no UTF-8 is not taken for absent: it shows as U+FFFD.
fn unpacked(packed: &str) -> Option<Secret> {
    if packed.len() > LONGEST_PACKED {
        return None;
    }
    Some(Secret::new(&String::from_utf8_lossy(&decode(packed)?)))
}

fn drop_in(line: &str) -> Option<DropIn> {
    let (text, name) = line.split_once(' ')?;
    Some(DropIn {
        name: brief(name),
        text: unpacked(text)?,
    })
}

fn foreign(reply: &Reply, line: &str) -> Option<ForeignUnit> {
    let (unit, text) = line.split_once(' ')?;
    let environment = reply
        .values("foreign_environment")
        .filter_map(|line| unpacked(line.strip_prefix(unit)?.strip_prefix(' ')?))
        .fold(String::new(), |all, text| {
            format!("{all}{}\n", text.expose())
        });
    Some(ForeignUnit {
        unit: unit.to_owned(),
        text: unpacked(text)?,
        environment: Secret::new(&environment),
    })
}

/// So many manifests of towline's are looked at on a host: every one may have been there before, too.
const MOST_MANIFESTS: usize = 400;

/// Whether towline may have written a manifest of this name: its place in the order, and its name.
fn is_manifest(path: &str) -> bool {
    path.split_once('/').is_some_and(|(place, name)| {
        place.len() == 3
            && place.bytes().all(|byte| byte.is_ascii_digit())
            && is_manifest_name(name)
    })
}

fn node_facts(reply: &Reply, questions: &Questions, data_dir: &DataDir) -> NodeFacts {
    let secret = |key: &str| unpacked(reply.value(key)?);
    let hash = |key: &str| {
        let hash = reply.value(key).filter(|hash| is_sha256(hash));
        hash.map(str::to_owned)
    };
    let unit = |key: &str| reply.value(key).map(unit).unwrap_or_default();
    NodeFacts {
        data_dir: data_dir.clone(),
        config: secret("config"),
        drop_ins: reply
            .values("drop_in")
            .take(MOST)
            .filter_map(drop_in)
            .collect(),
        manifests: reply
            .values("manifest")
            .take(MOST_MANIFESTS)
            .filter(|path| is_manifest(path))
            .map(str::to_owned)
            .collect(),
        datastore: match reply.value("datastore") {
            Some("etcd") => Some(Datastore::Etcd),
            Some("sqlite") => Some(Datastore::Sqlite),
            Some("external") => Some(Datastore::External),
            _ => None,
        },
        joined: reply.value("joined").is_some(),
        node_name: reply.value("node_certificate").and_then(node_of),
        owns_node: reply.value("owns_node").is_some(),
        data_changed: reply
            .value("data_changed")
            .and_then(|time| time.trim().parse().ok()),
        restored: reply.value("restored").and_then(restored),
        ca_hash: hash("ca_hash"),
        agent_ca_hash: hash("agent_ca_hash"),
        server_token: secret("server_token"),
        agent_token: secret("agent_token"),
        version: reply.value("version").and_then(questions.version),
        foreign: reply.value("foreign").and_then(|line| foreign(reply, line)),
        server_unit: unit("server_unit"),
        agent_unit: unit("agent_unit"),
        kubeconfig: secret("kubeconfig"),
        api_ready: is_api_ready(reply),
        nodes: nodes(reply),
        members: (questions.members)(reply),
    }
}

/// A restore's id of 32 hex digits, and the hash of its snapshot.
fn restored(line: &str) -> Option<(String, String)> {
    let (id, sha256) = line.trim().split_once(' ')?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && is_sha256(sha256)).then(|| (id.to_owned(), sha256.to_owned()))
}

/// The node that a kubelet's certificate is for: the common name of its subject is
/// `system:node:NAME`.
fn node_of(certificate: &str) -> Option<String> {
    let certificate = CertificateDer::from_pem_slice(&decode(certificate)?).ok()?;
    let (_, certificate) = X509Certificate::from_der(&certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.strip_prefix("system:node:")?;
    is_node_name(name).then(|| name.to_owned())
}

pub(super) fn is_api_ready(reply: &Reply) -> bool {
    reply.value("api") == Some("ready")
}

pub(super) fn nodes(reply: &Reply) -> Vec<ClusterNode> {
    // That of a real node has three or four KiB.
    let lines = reply.values("node").filter(|line| line.len() < 64 * 1024);
    let five_minutes_ago = reply.value("five_minutes_ago");
    lines
        .take(MOST_NODES)
        .filter_map(|line| node(line, five_minutes_ago))
        .collect()
}

fn unit(line: &str) -> Unit {
    let property = |name: &str| {
        let found = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        brief(found.unwrap_or_default())
    };
    Unit {
        load: property("LoadState"),
        active: property("ActiveState"),
        sub: property("SubState"),
        path: property("FragmentPath"),
        restarts: property("NRestarts").parse().unwrap_or_default(),
        ready_at: Duration::from_micros(
            property("ActiveEnterTimestampMonotonic")
                .parse()
                .unwrap_or_default(),
        ),
    }
}

/// Dates are compared as texts: both are in UTC and of one form.
fn node(line: &str, five_minutes_ago: Option<&str>) -> Option<ClusterNode> {
    let mut fields = line.split('\t');
    let name = fields.next().filter(|name| is_node_name(name))?;
    let uid = fields.next().filter(|uid| {
        uid.chars()
            .all(|letter| letter.is_ascii_hexdigit() || letter == '-')
    });
    let made = fields.next();
    let mut json = || {
        let text = fields.next().unwrap_or_default();
        serde_json::from_str::<Value>(text).unwrap_or_default()
    };
    let (labels, addresses, info, conditions, pods) = (json(), json(), json(), json(), json());
    let taints = json();
    let of_type = |list: &Value, kind: &str| {
        let mut items = list.as_array().into_iter().flatten();
        items.find(|item| item["type"] == kind).cloned()
    };
    let taint = |taint: &Value| {
        let [key, value, effect] =
            ["key", "value", "effect"].map(|part| word_of_label(&taint[part]));
        Some((format!("{}:{}", key?, effect?), value.unwrap_or_default()))
    };
    let is_etcd = labels["node-role.kubernetes.io/etcd"] == "true";
    let ready = of_type(&conditions, "Ready").unwrap_or_default();
    let condition = of_type(&conditions, "EtcdIsVoter").unwrap_or_default();
    // A voter that is down has the condition False, too, for another reason.
    let votes = !matches!(
        condition["reason"].as_str(),
        Some("MemberIsLearner" | "NotAMember")
    );
    Some(ClusterNode {
        name: name.to_owned(),
        ready: ready["status"] == "True",
        lacks_network: ready["status"] == "False"
            && lacks_network(ready["message"].as_str().unwrap_or_default()),
        voter: is_etcd.then_some(votes),
        internal_ip: of_type(&addresses, "InternalIP")
            .and_then(|address| address["address"].as_str()?.parse().ok()),
        version: word(info["kubeletVersion"].as_str().unwrap_or_default()),
        uid: uid.unwrap_or_default().to_owned(),
        pods: pods
            .as_array()
            .into_iter()
            .flatten()
            .take(MOST)
            .filter_map(|range| range.as_str()?.parse().ok())
            .collect(),
        is_young: made.is_none_or(|made| {
            five_minutes_ago.is_none_or(|then| made.len() != then.len() || made > then)
        }),
        labels: labels
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| {
                Some((word_of_label(&key.as_str().into())?, word_of_label(value)?))
            })
            .collect(),
        taints: taints
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(taint)
            .collect(),
    })
}

/// A word of a label or a taint, in the letters that Kubernetes has for them.
fn word_of_label(value: &Value) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    let text = value.as_str()?;
    (text.len() <= 317 && text.bytes().all(allowed)).then(|| text.to_owned())
}

/// Whether `name` has the form of a node's name: a DNS subdomain of RFC 1123, at most 253 bytes.
pub(crate) fn is_node_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte != b'-');
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        bytes.clone().all(inner) && edge(bytes.clone().next()) && edge(bytes.next_back())
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests;
