//! What templates and playbooks may know about a host.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::artifacts::BinaryArtifact;
use crate::cluster::{
    CORDONED, Folders, NodeMarks, RestoreFrom, RestoreOrder, Situation, Topology,
};
use crate::distribution;
use crate::facts::{Datastore, Facts};
use crate::inventory::Host;

/// What a template knows of a host and its cluster, beside what the distribution says under its own name.
///
/// Of what hosts answered, only parsed values get here: flags, addresses, checked names.
#[derive(Serialize, JsonSchema)]
struct TemplateContext<'a> {
    host: HostContext<'a>,
    cluster: ClusterContext<'a>,
    facts: FactsContext<'a>,
    folders: FoldersContext<'a>,
    upgrade: UpgradeContext<'a>,
    restore: RestoreContext<'a>,
}

/// What of a restore concerns the host.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct RestoreContext<'a> {
    /// What tells the restore that is under way from others; empty without one
    id: &'a str,
    /// Whether the host begins: with the snapshot, or with its own data where there is none
    here: bool,
    /// The snapshot on this machine
    source: String,
    /// SHA-256 of it
    sha256: &'a str,
    /// Its size
    bytes: u64,
    /// Whether it is one of sqlite
    sqlite: bool,
}

impl<'a> RestoreContext<'a> {
    pub fn of(restore: Option<&'a RestoreOrder>, host: &str) -> Self {
        let Some(RestoreOrder { id, begins }) = restore else {
            return Self::default();
        };
        let Some((first, snapshot)) = begins else {
            return Self {
                id,
                ..Self::default()
            };
        };
        let from = snapshot.as_ref();
        Self {
            id,
            here: first == host,
            source: from.map_or_else(String::new, |one| one.path.display().to_string()),
            sha256: from
                .map_or(RestoreFrom::Survivor(None), RestoreFrom::Snapshot)
                .sha256(),
            bytes: from.map_or(0, |one| one.bytes),
            sqlite: from.is_some_and(|one| one.datastore == Datastore::Sqlite),
        }
    }
}

/// What is done besides where the host's cluster is brought to another version.
#[derive(Default, Serialize, JsonSchema)]
struct UpgradeContext<'a> {
    /// Whether the host's binary is replaced, by one that was brought beside it
    replaces: bool,
    /// The version that the node has to tell afterwards
    version: &'a str,
    /// SHA-256 of the new binary
    sha256: &'a str,
    /// Whether the node's pods are moved first
    drains: bool,
    /// How long that may take, in seconds
    drain_timeout: u64,
    /// Whether the node takes pods again afterwards, where an upgrade has cordoned it
    uncordons: bool,
    /// Name of the host's node
    node: &'a str,
    /// The label of a node that an upgrade has cordoned
    cordoned: &'a str,
    /// Whether a snapshot of etcd is taken first
    snapshot: bool,
}

impl<'a> UpgradeContext<'a> {
    fn of(topology: &'a Topology, host: &Host, binary: &'a BinaryArtifact) -> Self {
        let Some(upgrade) = &topology.upgrade else {
            return Self::default();
        };
        let here = upgrade.hosts.get(&host.name);
        let spec = topology.specs.get(&host.name);
        Self {
            replaces: here.is_some_and(|here| here.replaces),
            version: binary.version.as_deref().unwrap_or_default(),
            sha256: &binary.sha256,
            drains: here.is_some_and(|here| here.drains),
            drain_timeout: upgrade.drain_timeout.as_secs(),
            uncordons: here.is_some_and(|here| here.uncordons),
            node: spec.map_or("", |spec| &spec.node_name),
            cordoned: CORDONED,
            snapshot: upgrade.snapshot,
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct HostContext<'a> {
    /// The host's name in the inventory
    name: &'a str,
    /// Its address
    address: &'a str,
    /// `server` or `agent`
    role: String,
    /// Packages that the inventory names
    packages: Vec<&'a str>,
    /// Kernel modules that the inventory names
    kernel_modules: Vec<&'a str>,
    /// Sysctls that the inventory names, each with `name` and `value`
    sysctls: Vec<Value>,
    /// Files that the inventory puts there, each with `path`, `content`, `template`, `mode` and `owner`
    files: Vec<Value>,
    /// Paths of those for which the distribution is restarted
    restarting: Vec<&'a str>,
}

impl<'a> HostContext<'a> {
    fn of(host: &'a Host) -> Self {
        let sysctls = host.sysctls.iter();
        let files = || host.files.iter().map(|(path, file)| (path, &file.value));
        let restarting = files().filter(|(_, file)| file.restarts.is_some());
        Self {
            name: &host.name,
            address: &host.address,
            role: host.role.value.to_string(),
            packages: host.packages.iter().map(|one| &*one.value).collect(),
            kernel_modules: host.kernel_modules.iter().map(|one| &*one.value).collect(),
            sysctls: sysctls
                .map(|(name, value)| json!({"name": name, "value": value.value}))
                .collect(),
            files: files()
                .map(|(path, file)| {
                    json!({
                        "path": path,
                        "content": file.content,
                        "template": file.template,
                        "mode": file.mode,
                        "owner": file.owner,
                    })
                })
                .collect(),
            restarting: restarting.map(|(path, _)| &**path).collect(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ClusterContext<'a> {
    /// The cluster's name
    pub name: &'a str,
    /// The port of its API
    pub api_port: u16,
    /// The command of a server that asks its API
    pub kubectl: &'a str,
    /// The systemd units of the distribution, with `|` between them
    pub units: String,
    /// Addresses and networks that a firewall has to let in: nodes, pods, services
    pub sources: &'a [String],
    /// Nodes whose labels or taints change, each with `node`, `uid`, `labels` and `taints`
    #[schemars(with = "Vec<Value>")]
    pub labels: &'a [NodeMarks],
}

impl<'a> ClusterContext<'a> {
    /// What does not depend on the hosts.
    pub fn of(situation: &Situation<'a>) -> Self {
        let product = situation.rules.product();
        Self {
            name: &situation.inventory.cluster.name,
            api_port: product.api_port,
            kubectl: distribution::of(situation.inventory).kubectl,
            units: format!("{}|{}", product.server_unit, product.agent_unit),
            sources: &[],
            labels: &[],
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct FactsContext<'a> {
    /// As `uname -m` says it: `x86_64`, `aarch64`
    architecture: &'a str,
    /// Whether the kernel speaks IPv6
    ipv6: bool,
    /// Interfaces on which the kernel takes its default route of IPv6 from a router's advertisements
    advertised: &'a [String],
    /// Whether the firewall `ufw` is active
    ufw: bool,
    /// Version of the cgroup hierarchy, 1 or 2
    cgroup: u8,
    /// Whether the system is of the Debian family
    debian: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FoldersContext<'a> {
    /// Folder of the distribution's data
    pub data: &'a str,
    /// The kubelet's folder
    pub kubelet: &'a str,
}

/// The context of one host.
pub(super) fn context(
    situation: &Situation<'_>,
    topology: &Topology,
    host: &Host,
    facts: &Facts,
    binary: &BinaryArtifact,
) -> Value {
    let spec = topology.specs.get(&host.name);
    let folders = spec.map_or_else(
        || Folders {
            data: facts.node.data_dir.clone(),
            kubelet: None,
        },
        |spec| spec.folders.clone(),
    );
    let product = situation.rules.product();
    let mut context = json!(TemplateContext {
        host: HostContext::of(host),
        cluster: ClusterContext {
            sources: &sources(situation, &topology.siblings),
            labels: &topology.labels,
            ..ClusterContext::of(situation)
        },
        facts: FactsContext {
            architecture: &facts.architecture,
            ipv6: facts.ipv6,
            advertised: &facts.advertised,
            ufw: facts.ufw,
            cgroup: facts.cgroup,
            debian: facts.os.is_debian_family(),
        },
        folders: FoldersContext {
            data: folders.data.as_str(),
            kubelet: folders.kubelet(),
        },
        upgrade: UpgradeContext::of(topology, host, binary),
        restore: RestoreContext::of(topology.restore.as_ref(), &host.name),
    });
    let version = binary.version.as_deref();
    context[product.name] = situation
        .rules
        .variables(situation, topology, host, facts, version);
    context
}

/// What a firewall has to let in: nodes, pods and services.
pub(super) fn sources(situation: &Situation<'_>, siblings: &[IpAddr]) -> Vec<String> {
    let mut sources: Vec<_> = siblings.iter().map(ToString::to_string).collect();
    let ipv6 = siblings.first().is_some_and(IpAddr::is_ipv6);
    sources.extend(situation.rules.ranges(situation.inventory, ipv6));
    sources
}

#[cfg(test)]
mod tests {
    use super::super::reset::{LeavingContext, StayingContext};
    use super::super::restore::RestoringContext;
    use super::*;

    /// A table of the page: every variable with its words.
    fn table(schema: &Value) -> String {
        let mut table = String::from("\n| variable | |\n|---|---|\n");
        for (room, held) in schema["properties"].as_object().expect("rooms") {
            let name = held["$ref"]
                .as_str()
                .and_then(|name| name.rsplit('/').next());
            let held = &schema["$defs"][name.expect("a struct")]["properties"];
            for (key, value) in held.as_object().expect("variables") {
                let words = value["description"]
                    .as_str()
                    .expect("words")
                    .replace('\n', " ");
                table.push_str(&format!("| `{room}.{key}` | {words} |\n"));
            }
        }
        table
    }

    #[test]
    fn the_page_about_playbooks_lists_every_variable() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/playbooks.md");
        let page = std::fs::read_to_string(file).expect("the page");
        let (mark, end) = ("<!-- variables: made of src/plan -->\n", "<!-- end -->\n");
        let (head, rest) = page.split_once(mark).expect("the beginning of the tables");
        let (found, tail) = rest.split_once(end).expect("their end");
        let mut deploy = schemars::schema_for!(TemplateContext<'_>).to_value();
        let own = [
            ("k3s", crate::distribution::k3s::variables_schema()),
            ("k0s", crate::distribution::k0s::variables_schema()),
        ];
        for (name, own) in own {
            deploy["properties"][name] = json!({"$ref": format!("#/$defs/Own_{name}")});
            deploy["$defs"][format!("Own_{name}")] = own;
        }
        let deploy = table(&deploy);
        let leaving = table(&schemars::schema_for!(LeavingContext<'_>).to_value());
        let staying = table(&schemars::schema_for!(StayingContext<'_>).to_value());
        let restoring = table(&schemars::schema_for!(RestoringContext<'_>).to_value());
        let tables = format!(
            "{deploy}\nIn the playbooks of a reset:\n{leaving}\nIn `reset-stay`:\n{staying}\nIn `restore-bring` and `restore-stop`:\n{restoring}\n"
        );
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file, format!("{head}{mark}{tables}{end}{tail}")).expect("written");
        } else {
            let renew = "renew it with: UPDATE_DOCS=1 cargo test --lib plan::context";
            assert_eq!(found, tables, "{renew}");
        }
    }
}
