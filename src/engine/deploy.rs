//! From the hosts of an inventory to a cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::artifacts::Artifact;
use super::context::Context;
use super::kubeconfig::{self, KubeconfigTarget};
use super::operation::{Decision, Operation, Survey};
use super::refusal::Refusal;
use crate::artifacts::Architecture;
use crate::cluster::{
    self, ClusterState, NodeRole, RestoreOrder, Situation, Topology, UpgradePolicy, WantedVersion,
};
use crate::distribution;
use crate::facts::Facts;
use crate::inventory::Inventory;
use crate::plan;
use crate::playbook::Book;
use crate::problem::Problem;
use crate::run::gather::{self, Gathered};

/// Makes the hosts a cluster.
#[derive(Debug, Clone, Default)]
pub struct Deploy {
    /// Take over hosts that something else set up.
    pub adopt: bool,
    /// Whether the settings of a host that a typed line does not name are taken away.
    pub reset_config: bool,
    /// Where the kubeconfig goes, where one is wanted.
    pub kubeconfig: Option<KubeconfigTarget>,
}

/// What the hosts are to become.
#[derive(Debug, PartialEq)]
pub struct Deployment {
    /// What every host is to the others.
    pub topology: Topology,
    /// The version of the distribution that they get.
    pub version: String,
}

/// The version that the cluster runs or gets, and its binaries as far as they could be looked up.
pub struct FoundRelease {
    version: String,
    artifacts: BTreeMap<Architecture, Result<Artifact, Problem>>,
}

impl Operation for Deploy {
    type LookedUp = FoundRelease;
    type Rules = Deployment;

    const NAME: &'static str = "deploy";
    const NEEDS_ALL_HOSTS: bool = true;

    async fn look_up(
        &self,
        context: &Context,
        gathered: &mut Gathered,
    ) -> Result<FoundRelease, Refusal> {
        let wanted = cluster::to_ask(&context.situation(gathered));
        gather::ask_around(&context.inventory, &wanted, gathered, &context.limit).await;
        let inventory = &context.inventory;
        let wanted = cluster::wanted_version(
            distribution::of(inventory).rules,
            inventory,
            &gathered.facts,
            &context.selected,
        );
        let version = match wanted.map_err(Refusal::Problems)? {
            WantedVersion::Exact(version) => version,
            WantedVersion::Channel(channel) => context.resolve(channel).await?,
        };
        Ok(FoundRelease::of(context, gathered, version).await)
    }

    fn decide(
        &self,
        situation: &Situation<'_>,
        release: FoundRelease,
        book: &Book,
    ) -> Result<Decision<Deployment>, Vec<Problem>> {
        self.decide_with(situation, release, book, None, None)
    }

    async fn follow(
        &self,
        context: &Context,
        survey: &Survey<Deployment>,
    ) -> Result<Option<String>, Problem> {
        self.fetched(context, &survey.gathered, &survey.decision.rules)
            .await
    }
}

impl Deploy {
    /// Fetches the kubeconfig of what was made, where one is wanted; returns what to type next.
    pub(super) async fn fetched(
        &self,
        context: &Context,
        gathered: &Gathered,
        Deployment { topology, .. }: &Deployment,
    ) -> Result<Option<String>, Problem> {
        // Only members that are no nodes are told by the hosts: nodes are told by the API.
        let mut joining = topology.specs.values();
        let has_grown = topology.specs.values().any(|spec| !spec.has_node)
            && joining.any(|spec| spec.role == NodeRole::Joining);
        match (&self.kubeconfig, &topology.state) {
            (None, _) | (_, ClusterState::Elsewhere | ClusterState::Unknown) => Ok(None),
            (Some(target), _) => {
                let fetched = kubeconfig::fetch(context, gathered, target, has_grown);
                fetched.await.map(Some)
            }
        }
    }
}

impl FoundRelease {
    /// The version.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Looks up a version's binaries for the hosts that may be changed.
    pub(super) async fn of(context: &Context, gathered: &Gathered, version: String) -> Self {
        let selected = gathered.facts.iter();
        let selected = selected.filter(|(host, _)| context.selected.contains(*host));
        let facts = selected.map(|(_, facts)| facts);
        let architectures: BTreeSet<_> = facts.filter_map(Facts::release_architecture).collect();
        let mut artifacts = BTreeMap::new();
        for architecture in architectures {
            let artifact = context.artifact(architecture, &version).await;
            artifacts.insert(architecture, artifact);
        }
        Self { version, artifacts }
    }
}

impl Deploy {
    /// Decides what is done; with a policy, to bring a cluster that runs to another version; with a restore, to begin
    /// with its snapshot.
    pub(super) fn decide_with(
        &self,
        situation: &Situation<'_>,
        FoundRelease { version, artifacts }: FoundRelease,
        book: &Book,
        policy: Option<UpgradePolicy>,
        restore: Option<RestoreOrder>,
    ) -> Result<Decision<Deployment>, Vec<Problem>> {
        let situation = Situation {
            adopt: self.adopt,
            keep: !situation.inventory.whole && !self.reset_config,
            restores: restore.is_some(),
            ..*situation
        };
        let mut topology = cluster::topology(&situation, &version)?;
        if restore.is_some() {
            topology.restore = restore;
        }
        if let Some(policy) = policy {
            let upgrade = cluster::upgrade(&situation, &mut topology, &version, policy)?;
            topology.upgrade = Some(upgrade);
        }
        let (mut binaries, mut fetches) = (BTreeMap::new(), Vec::new());
        let takes_part = |host: &String| {
            topology.specs.contains_key(host) || topology.waiting.contains_key(host)
        };
        let hosts = situation.facts.iter();
        for (architecture, artifact) in artifacts {
            let is_needed = hosts.clone().any(|(host, facts)| {
                takes_part(host) && facts.release_architecture() == Some(architecture)
            });
            if is_needed {
                let Artifact { binary, fetch } = artifact.map_err(|problem| vec![problem])?;
                fetches.extend(fetch.map(|fetch| (binary.path.clone(), fetch)));
                binaries.insert(architecture, binary);
            }
        }
        let plan = plan::build(&situation, &topology, book, &binaries);
        Ok(Decision {
            about: about(situation.inventory, &topology.state, &version),
            again: again(situation.inventory, &topology.state),
            notes: std::mem::take(&mut topology.notes),
            unfit: std::mem::take(&mut topology.unfit),
            waiting: std::mem::take(&mut topology.waiting),
            secrets: cluster::secrets(&topology),
            plan: plan.map_err(|problem| vec![problem])?,
            fetches,
            rules: Deployment { topology, version },
        })
    }
}

/// What a plan is about, as a sentence.
fn about(inventory: &Inventory, state: &ClusterState, version: &str) -> String {
    let name = &inventory.cluster.name;
    let what = format!(
        "{} {version}",
        distribution::of(inventory).rules.product().name
    );
    match state {
        ClusterState::New { leader } => {
            format!("{name}: a new cluster of {what}, made by {leader}")
        }
        ClusterState::Running { .. } => format!("{name}: a cluster of {what} that runs"),
        ClusterState::Down => {
            format!("{name}: a cluster of {what}, all of whose servers are down")
        }
        ClusterState::Elsewhere => {
            format!("{name}: hosts that join a cluster of {what} elsewhere")
        }
        ClusterState::Unknown => {
            format!("{name}: {what}; whether there is a cluster is not known")
        }
    }
}

/// Why the rest is planned later.
fn again(inventory: &Inventory, state: &ClusterState) -> String {
    match state {
        ClusterState::New { leader } if inventory.hosts.len() == 1 => {
            format!("{leader} is the first server of a new cluster")
        }
        ClusterState::New { leader } => {
            format!("{leader} leads the new cluster; the others can join now")
        }
        _ => "the servers answer again; the rest is planned with what they know".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::distribution::k3s::K3s;
    use crate::facts::OperatingSystem;
    use crate::inventory::{self, Overrides};
    use crate::playbook::Assets;

    const TWO: &str =
        "hosts: {m1: {address: 10.0.0.1, role: server}, w1: {address: 10.0.0.2, role: agent}}";

    fn facts(address: &str, architecture: &str) -> Facts {
        Facts {
            hostname: address.replace('.', "-"),
            machine_id: address.into(),
            architecture: architecture.into(),
            os: OperatingSystem {
                id: "debian".into(),
                ..OperatingSystem::default()
            },
            systemd: true,
            cgroup: 2,
            addresses: vec![(
                "eth0".into(),
                format!("{address}/24").parse().expect("a network"),
            )],
            default_interface: "eth0".into(),
            ..Facts::default()
        }
    }

    /// The hosts of the plan, or what is refused, where only the release for `x86_64` could be looked up.
    fn decided(selected: &[&str]) -> Result<BTreeSet<String>, Vec<String>> {
        let inventory = inventory::parse(TWO, Path::new("i.yaml"), None, &Overrides::default())
            .unwrap_or_else(|errors| panic!("{}", errors.render(false, 100)));
        let facts = [
            ("m1".into(), facts("10.0.0.1", "x86_64")),
            ("w1".into(), facts("10.0.0.2", "aarch64")),
        ];
        let situation = Situation {
            rules: &K3s,
            inventory: &inventory,
            facts: &facts.into(),
            selected: &selected.iter().map(|host| (*host).to_owned()).collect(),
            generated: &[],
            adopt: false,
            keep: false,
            restores: false,
        };
        let found = |architecture| Artifact {
            binary: crate::artifacts::BinaryArtifact {
                path: "k3s".into(),
                sha256: "0".repeat(64),
                size: None,
                version: Some("v1.36.3+k3s1".into()),
                architecture,
                download: None,
            },
            fetch: None,
        };
        let artifacts = [
            (Architecture::Amd64, Ok(found(Architecture::Amd64))),
            (
                Architecture::Arm64,
                Err(Problem::new(
                    crate::problem::Code::DOWNLOAD_FAILED,
                    "no list of hashes",
                )),
            ),
        ];
        let release = FoundRelease {
            version: "v1.36.3+k3s1".into(),
            artifacts: artifacts.into(),
        };
        let book = Book::read(&Assets::of(&crate::distribution::k3s::DISTRIBUTION))
            .expect("the playbooks");
        let decided = Deploy::default().decide(&situation, release, &book);
        let decision = decided.map_err(|problems| {
            let told = problems.iter().map(|problem| problem.what.clone());
            told.collect::<Vec<_>>()
        })?;
        let lanes = decision.plan.stages.iter().flat_map(|stage| &stage.lanes);
        Ok(lanes.map(|lane| lane.host.clone()).collect())
    }

    #[test]
    fn a_release_that_was_not_found_is_told_where_a_host_of_the_plan_needs_it() {
        assert_eq!(decided(&["m1"]), Ok(["m1".to_owned()].into()));
        assert_eq!(
            decided(&["m1", "w1"]),
            Err(vec!["no list of hashes".to_owned()])
        );
    }
}
