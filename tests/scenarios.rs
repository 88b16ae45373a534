//! Plans from the inventory and the facts to the text that a person reads: one file per scenario in
//! `tests/plans`, one snapshot of the whole plan beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::artifacts::{Architecture, BinaryArtifact};
use crate::cluster::{self, Situation};
use crate::digest::sha256;
use crate::distribution::k3s::K3s;
use crate::facts::{ClusterNode, Datastore, Facts, OperatingSystem, Unit};
use crate::inventory::{self, Inventory, ManifestSource, Overrides};
use crate::plan;
use crate::playbook::{Assets, Book};
use crate::run::event::Planned;
use crate::shell::{PACKED, Reply, encode};
use crate::task::Task;
use crate::ui::plan_text;
use crate::vars::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

#[path = "plans/recipes.rs"]
mod recipes;
#[path = "plans/told.rs"]
mod told;

const VERSION: &str = "v1.36.3+k3s1";
const HASH: &str = "568b7ee2f0a8a54b8e8c5d0f6f0f4d2dbd4cbd0bd9a2f6d7d0c7b1a2e3f4a5b6";
const CONFIG: &str = "/etc/rancher/k3s/config.yaml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What is special about it.
    about: String,
    inventory: String,
    /// Host → what it is; one that is not named was not reached.
    hosts: BTreeMap<String, Is>,
    limit: Option<Vec<String>>,
    /// The version that runs on all hosts and is upgraded.
    upgrade: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Is {
    state: State,
    /// Content of its config.yaml, without the comment on top.
    config: Option<String>,
    /// Nodes as it lists them: name → address; `!` before the address: not Ready, ` voter` behind it:
    /// a voting member of etcd.
    #[serde(default)]
    nodes: BTreeMap<String, String>,
    /// Manifests in towline's folder on it.
    #[serde(default)]
    manifests: Vec<String>,
    /// Labels of these nodes: node → key → value.
    #[serde(default)]
    labels: BTreeMap<String, BTreeMap<String, String>>,
    /// Taints of these nodes: node → `key:Effect` → value.
    #[serde(default)]
    taints: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether its firewall is active, and lets only SSH in.
    #[serde(default)]
    ufw: bool,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum State {
    Bare,
    Member,
    Sqlite,
    Stopped,
    /// Its k3s runs, and its API does not answer.
    Silent,
    Agent,
}

impl Is {
    fn facts(&self, host: &inventory::Host) -> Facts {
        let loaded = |active: &str, sub: &str| Unit {
            load: "loaded".into(),
            active: active.into(),
            sub: sub.into(),
            path: String::new(),
            ..Unit::default()
        };
        let mut facts = Facts {
            hostname: host.name.clone(),
            machine_id: format!("id-{}", host.name),
            architecture: "x86_64".into(),
            os: OperatingSystem {
                id: "debian".into(),
                ..OperatingSystem::default()
            },
            systemd: true,
            cgroup: 2,
            addresses: vec![(
                "eth0".into(),
                format!("{}/24", host.address).parse().expect("an address"),
            )],
            default_interface: "eth0".into(),
            ufw: self.ufw,
            ..Facts::default()
        };
        let node = &mut facts.node;
        node.manifests.clone_from(&self.manifests);
        node.config = self.config.as_deref().map(Secret::new);
        if self.state == State::Bare {
            return facts;
        }
        (node.joined, node.owns_node, node.version) = (true, true, Some(VERSION.into()));
        if self.state == State::Agent {
            node.agent_unit = loaded("active", "running");
            return facts;
        }
        node.datastore = Some(if self.state == State::Sqlite {
            Datastore::Sqlite
        } else {
            Datastore::Etcd
        });
        node.ca_hash = Some(HASH.into());
        node.server_token = Some(Secret::new(&format!("K10{HASH}::server:secret-one")));
        node.agent_token = Some(Secret::new(&format!("K10{HASH}::node:secret-two")));
        node.server_unit = if self.state == State::Stopped {
            loaded("inactive", "dead")
        } else {
            loaded("active", "running")
        };
        node.api_ready = !matches!(self.state, State::Stopped | State::Silent);
        node.nodes = self
            .nodes
            .iter()
            .map(|(name, address)| (name, address.trim_end_matches(" voter"), address))
            .map(|(name, address, said)| ClusterNode {
                name: name.clone(),
                ready: !address.starts_with('!'),
                lacks_network: false,
                voter: (said != address).then_some(true),
                internal_ip: address.trim_start_matches('!').parse().ok(),
                version: VERSION.into(),
                uid: "5cc9fb3e-4d5b-4c2c-9d0f-7a0d7e4a9a3b".into(),
                pods: Vec::new(),
                is_young: false,
                labels: self.labels.get(name).cloned().unwrap_or_default(),
                taints: self.taints.get(name).cloned().unwrap_or_default(),
            })
            .collect();
        facts
    }

    /// What the host says to a task's question.
    fn reply(&self, task: &Task) -> Reply {
        let bare = self.state == State::Bare;
        let stdout = match task {
            Task::File(file) => {
                let now = self.config.as_deref().filter(|_| file.path == CONFIG);
                let now = now.map(|text| format!("# Written by towline, another version.\n{text}"));
                match now {
                    Some(now) if Some(&now) != file.content.as_ref() => format!(
                        "mode=600 0:0\nstate=differs\nhash={}\ncontent={PACKED}{}\n",
                        sha256(&now),
                        encode(now.as_bytes()).replace('\n', "")
                    ),
                    None if self.manifests.iter().any(|path| file.path.ends_with(path)) => {
                        let was = "kind: ConfigMap\n";
                        let packed = encode(was.as_bytes()).replace('\n', "");
                        format!("mode=600 0:0\nstate=differs\nhash={}\ncontent={PACKED}{packed}\n", sha256(was))
                    }
                    None if bare || file.path.contains("/manifests/") => "state=absent\n".into(),
                    _ => format!("mode={:o} 0:0\nstate=same\n", file.mode),
                }
            }
            Task::Absent(absent) if absent.paths[0].contains("/manifests/") => {
                format!("there={}\ncomplete=yes\n", absent.paths[0])
            }
            Task::Absent(_) => "complete=yes\n".into(),
            Task::Binary(binary) if !bare && !binary.path.ends_with("k3s.next") => format!("hash={}\n", binary.sha256),
            Task::Binary(_) => "hash=absent\nfree_kib=9999999\n".into(),
            Task::Link(link) if !bare => format!("link={}\n", link.target),
            Task::Link(_) => "state=absent\n".into(),
            Task::Package(package) => package.packages.keys().map(|name| format!("there={name}\n")).collect(),
            Task::Kernel(kernel) => {
                let modules = kernel.modules.keys().map(|name| format!("module={name} there\n"));
                let sysctls = kernel.sysctls.iter();
                let sysctls = sysctls.map(|(name, value)| format!("sysctl={name} {}\n", value.trim_start_matches(">=")));
                modules.chain(sysctls).collect()
            }
            Task::ShellCommand(command) if command.description.starts_with("forget") => "answer=no\n".into(),
            Task::ShellCommand(command) if command.description.starts_with("take a") => "answer=no\n".into(),
            Task::ShellCommand(command) if command.description.starts_with("replace") => "answer=no\n".into(),
            Task::ShellCommand(command) if command.description.contains("ufw") => "answer=no\n".into(),
            Task::ShellCommand(_) | Task::Wait(_) => "answer=yes\n".into(),
            Task::Service(_) => match self.state {
                State::Bare => "LoadState=not-found\n".into(),
                State::Stopped => "LoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=enabled\nJob=0\n".into(),
                _ => "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nJob=0\n".into(),
            },
            Task::Node(_) | Task::Addons(_) if bare || self.state == State::Stopped => String::new(),
            Task::Addons(_) => "complete=yes\n".into(),
            Task::NodeLabels(task) => {
                let labels = json!(self.labels.get(&task.node));
                let taints = self.taints.get(&task.node).into_iter().flatten();
                let taints = taints.map(|(identity, value)| {
                    let (key, effect) = identity.split_once(':').expect("key:Effect");
                    json!({"key": key, "value": value, "effect": effect})
                });
                format!("node={}\t{labels}\t{}\n", task.uid, Value::Array(taints.collect()))
            }
            Task::Node(_) => "Ready=True x\nEtcdIsVoter=True x\nfound=yes\nversion=v1.36.3+k3s1\npods=10.42.0.0/24\n".into(),
        };
        Reply {
            status: 0,
            stdout,
            stderr: "The connection to the server was refused".into(),
        }
    }
}

/// Without the differences of files that are the same everywhere: they are no part of a scenario.
fn planned(judged: &plan::Judged) -> Vec<Planned> {
    let mut steps = crate::run::planned(judged);
    for change in steps.iter_mut().flat_map(|step| &mut step.changes) {
        change.diff.take_if(|_| !change.what.ends_with(CONFIG));
    }
    steps
}

fn tell(scenario: &Scenario, file: &Path) -> String {
    let mut inventory: Inventory =
        inventory::parse(&scenario.inventory, file, None, &Overrides::default())
            .unwrap_or_else(|errors| panic!("{}", errors.render(false, 100)));
    // What this machine would fetch.
    let fetched = inventory.cluster.manifests.iter_mut();
    for manifest in fetched.filter(|manifest| matches!(manifest.source, ManifestSource::Url { .. }))
    {
        let text = "apiVersion: v1\nkind: ConfigMap\n".to_owned();
        manifest.fill(text).expect("an object");
    }
    let mut facts: BTreeMap<_, _> = inventory
        .hosts
        .iter()
        .filter_map(|host| {
            let is = scenario.hosts.get(&host.name)?;
            Some((host.name.clone(), is.facts(host)))
        })
        .collect();
    if let Some(from) = &scenario.upgrade {
        for facts in facts.values_mut() {
            told::as_before(facts, from);
        }
    }
    let all = inventory.hosts.iter().map(|host| host.name.clone());
    let selected: BTreeSet<_> = match &scenario.limit {
        Some(limit) => limit.iter().cloned().collect(),
        None => all.collect(),
    };
    let generated = ["new-server", "new-agent"].map(Secret::new);
    let situation = Situation {
        rules: &K3s,
        inventory: &inventory,
        facts: &facts,
        selected: &selected,
        generated: &generated,
        adopt: false,
        keep: false,
        restores: false,
    };
    let mut shape = cluster::topology(&situation, VERSION);
    if let (Ok(topology), Some(_)) = (&mut shape, &scenario.upgrade) {
        shape = told::upgraded(&situation, topology, VERSION);
    }
    let shape = match shape {
        Ok(shape) => shape,
        Err(problems) => {
            return problems
                .iter()
                .map(|problem| format!("refused: {problem}\n"))
                .collect();
        }
    };
    let binary = BinaryArtifact {
        path: "/cache/k3s".into(),
        sha256: "ab".repeat(32),
        size: Some(70_000_000),
        download: None,
        version: Some(VERSION.into()),
        architecture: Architecture::Amd64,
    };
    let book = Book::read(&Assets::of(&crate::distribution::k3s::DISTRIBUTION))
        .expect("the embedded ones are right");
    let plan = plan::build(
        &situation,
        &shape,
        &book,
        &[(Architecture::Amd64, binary)].into(),
    )
    .expect("it is built");
    let replies = scenario
        .hosts
        .iter()
        .map(|(host, is)| {
            let steps = plan.steps_of(host);
            let steps = steps.filter(|(_, _, step)| step.delegated_to.is_none());
            (
                host.clone(),
                steps
                    .map(|(_, _, step)| Some(is.reply(&step.task)))
                    .collect(),
            )
        })
        .collect();
    let judged = plan::judge(&plan, &replies);
    let notes: String = shape
        .notes
        .iter()
        .map(|note| format!("note: {note}\n"))
        .collect();
    let waiting: String = shape
        .waiting
        .iter()
        .map(|(host, why)| format!("{host} waits: {why}\n"))
        .collect();
    let unfit: String = shape
        .unfit
        .values()
        .map(|problem| format!("{problem}\n"))
        .collect();
    let text = plan_text(&scenario.about, &planned(&judged));
    assert!(
        !text.contains("secret-one") && !text.contains("new-server"),
        "{text}"
    );
    let orders = told::orders(&plan) + &told::let_in(&plan);
    format!("{orders}\n{notes}{waiting}{unfit}\n{text}")
}

#[test]
fn plans_read_as_they_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("tests/plans")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 7, "{files:?}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for file in files {
            let text = fs::read_to_string(&file).expect("read");
            let scenario: Scenario = serde_yaml::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let name = file
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            insta::assert_snapshot!(name, tell(&scenario, Path::new("home.yaml")));
        }
    });
}
