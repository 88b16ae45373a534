//! From a snapshot on this machine to the cluster that it is of.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::deploy::{Deploy, Deployment, FoundRelease};
use super::operation::{Decision, Operation, Question, Survey};
use super::refusal::Refusal;
use super::snapshot::{SnapshotRecord, beside};
use crate::artifacts::{Saved, saved, sha256_of, unpack};
use crate::cluster::{
    self, Folders, LocalSnapshot, RestoreFrom, RestoreOrder, RestorePhase, Situation,
};
use crate::distribution;
use crate::facts::{Datastore, Facts};
use crate::inventory::Host;
use crate::plan;
use crate::playbook::Book;
use crate::problem::{Code, Problem, problem};
use crate::run::gather::Gathered;
use crate::ui::Ui;
use crate::vars::Secret;

/// Makes the hosts the cluster of a snapshot, or that of the data that a server still has.
pub struct Restore<'a, const RECOVERS: bool> {
    /// Where it is asked whether that is meant.
    pub ui: &'a Ui,
    /// Whether it was agreed to already.
    pub is_agreed: bool,
    /// What makes the others join.
    pub deploy: Deploy,
    /// What it begins with.
    pub source: RestoreSource,
    /// What tells this restore from others.
    pub id: String,
}

/// What a cluster begins with.
pub enum RestoreSource {
    /// A snapshot.
    Snapshot(Box<ReadSnapshot>),
    /// The data of a server: of this one, or of the only one that has any.
    Survivor(Option<String>),
}

/// A snapshot, and what is known of it.
pub struct ReadSnapshot {
    snapshot: LocalSnapshot,
    record: Option<SnapshotRecord>,
    /// The file that was named.
    given: PathBuf,
    /// What was in it, where it was packed: gone at the end.
    _unpacked: Option<tempfile::TempPath>,
}

impl RestoreSource {
    fn from(&self) -> RestoreFrom<'_> {
        match self {
            Self::Snapshot(read) => RestoreFrom::Snapshot(&read.snapshot),
            Self::Survivor(named) => RestoreFrom::Survivor(named.as_deref()),
        }
    }

    fn begins(&self, id: &str, first: &str) -> RestoreOrder {
        let snapshot = match self {
            Self::Snapshot(read) => Some(read.snapshot.clone()),
            Self::Survivor(_) => None,
        };
        RestoreOrder {
            id: id.to_owned(),
            begins: Some((first.to_owned(), snapshot)),
        }
    }
}

impl ReadSnapshot {
    /// Reads a snapshot's file, and the one beside it.
    ///
    /// # Errors
    /// It is none, or is not whole.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let unreadable = |error: io::Error| {
            problem!(Code::FILE_UNREADABLE, "{} cannot be read", path.display()).because(error)
        };
        let refused = |why: &str| problem!(Code::RESTORE_REFUSED, "{}: {why}", path.display());
        let given = std::fs::canonicalize(path).map_err(unreadable)?;
        let mut kind = saved(&given).map_err(unreadable)?;
        let mut unpacked = None;
        if kind == Saved::Zip {
            // Beside it: the folder for temporary files may be in memory. For its owner alone, as the snapshot is.
            let folder = given.parent().unwrap_or(Path::new("/"));
            let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unreadable)?;
            unpack(&given, &mut file).map_err(unreadable)?;
            kind = saved(file.path()).map_err(unreadable)?;
            unpacked = Some(file.into_temp_path());
        }
        let content = unpacked.as_ref().map_or(&*given, |path| &**path);
        let datastore = match kind {
            Saved::Etcd => Datastore::Etcd,
            Saved::Sqlite => Datastore::Sqlite,
            Saved::Zip | Saved::Other => {
                return Err(refused("it is no whole snapshot of etcd or sqlite")
                    .because("etcd puts a hash of all of it at its end, and that is not there")
                    .next("fetch it anew")
                    .command("towline snapshot fetch -i FILE NAME"));
            }
        };
        let (given_sha256, _) = sha256_of(&given).map_err(unreadable)?;
        let (sha256, bytes) = sha256_of(content).map_err(unreadable)?;
        let record = match std::fs::read_to_string(beside(&given)) {
            Ok(text) => Some(
                serde_json::from_str::<SnapshotRecord>(&text).map_err(|error| {
                    problem!(
                        Code::FILE_UNREADABLE,
                        "{} cannot be read",
                        beside(&given).display()
                    )
                    .because(error)
                    .next("move it away to restore without what it says")
                })?,
            ),
            Err(_) => None,
        };
        if let Some(record) = record
            .as_ref()
            .filter(|record| record.sha256 != given_sha256)
        {
            return Err(
                refused("it has changed since it was fetched").because(format!(
                    "sha256 {given_sha256}, and it was {}",
                    record.sha256
                )),
            );
        }
        Ok(Self {
            snapshot: LocalSnapshot {
                path: content.to_owned(),
                sha256,
                bytes,
                datastore,
                version: record.as_ref().and_then(|record| record.version.clone()),
            },
            record,
            given,
            _unpacked: unpacked,
        })
    }

    /// Whether the token that is known is the one that the snapshot needs: without it, what is in it cannot be read.
    fn token(&self, situation: &Situation<'_>) -> Result<Option<String>, Problem> {
        let given = situation.inventory.cluster.token.clone();
        let given = given.map(|token| ("the inventory".to_owned(), token));
        let kept = situation.servers().find_map(|(host, facts)| {
            let told = || situation.rules.told(facts).token;
            let token = facts.node.server_token.clone();
            let token = token.or_else(|| Some(Secret::new(&told()?)))?;
            Some((host.name.clone(), token))
        });
        let Some((owner, token)) = given.or(kept) else {
            return Err(Problem::new(
                Code::RESTORE_REFUSED,
                "the token of the cluster is not known, and without it the snapshot cannot be read",
            )
            .because("none of its servers has it any more, and the inventory names none")
            .next("let the inventory name it, in a file or a variable")
            .inventory("cluster: {token: {file: token}}"));
        };
        let snapshots = distribution::of(situation.inventory).snapshots;
        let (Some(snapshots), Some(record)) = (snapshots, &self.record) else {
            return Ok(Some(format!(
                "whether the token of {owner} is the one that the snapshot needs is not known: there is no {} beside it",
                beside(&self.given).display()
            )));
        };
        let is_it = |token: &Secret, needed: &String| {
            (snapshots.token_fingerprint)(token.expose()) == *needed
        };
        if record
            .token_fingerprint
            .as_ref()
            .is_some_and(|needed| !is_it(&token, needed))
        {
            return Err(problem!(
                Code::RESTORE_REFUSED,
                "the token of {owner} is not the one that the snapshot needs"
            )
            .because(
                "what is in it is encrypted with the token that was in force when it was taken",
            )
            .next(
                "restore it with that token in the inventory, onto machines that have no other one",
            )
            .inventory("cluster: {token: {file: token}}"));
        }
        let of_agents = (snapshots.agent_token)(situation);
        let needed = record.agent_token_fingerprint.as_ref();
        match needed.filter(|needed| !of_agents.is_some_and(|token| is_it(&token, needed))) {
            None => Ok(None),
            Some(_) => Err(Problem::new(
                Code::RESTORE_REFUSED,
                "the token of agents is not the one that the snapshot needs, or is not known",
            )
            .because("with another one, its servers would not start")
            .next("let the inventory name it, in a file or a variable")
            .inventory("cluster: {agent_token: {file: agent-token}}")),
        }
    }
}

impl<const RECOVERS: bool> Operation for Restore<'_, RECOVERS> {
    type LookedUp = FoundRelease;
    type Rules = (RestorePhase, Option<Deployment>);

    const NAME: &'static str = if RECOVERS { "recovery" } else { "restore" };
    const NEEDS_ALL_HOSTS: bool = true;

    async fn look_up(
        &self,
        context: &Context,
        gathered: &mut Gathered,
    ) -> Result<FoundRelease, Refusal> {
        self.deploy.look_up(context, gathered).await
    }

    fn decide(
        &self,
        situation: &Situation<'_>,
        release: FoundRelease,
        book: &Book,
    ) -> Result<Decision<Self::Rules>, Vec<Problem>> {
        let phase = cluster::restore(situation, self.source.from(), release.version())?;
        let note = match (&phase, &self.source) {
            (RestorePhase::Follow, _) | (_, RestoreSource::Survivor(_)) => None,
            (_, RestoreSource::Snapshot(read)) => {
                read.token(situation).map_err(|problem| vec![problem])?
            }
        };
        let what = match &self.source {
            RestoreSource::Snapshot(read) => {
                format!("all that it holds is replaced by {}", read.given.display())
            }
            RestoreSource::Survivor(_) => "it goes on with what one server still has".to_owned(),
        };
        let about = format!("{}: {what}", situation.inventory.cluster.name);
        // By then no server has data that counts.
        let stopped = without_data(situation.facts);
        let afterwards = Situation {
            facts: &stopped,
            ..*situation
        };
        let mut again = None;
        let order = match &phase {
            RestorePhase::Stop { first, servers } => {
                // What would be refused afterwards is refused before anything is stopped.
                let order = self.source.begins(&self.id, first);
                let planned = self.deploy.decide_with(
                    &afterwards,
                    release,
                    book,
                    None,
                    Some(order.clone()),
                )?;
                let unfit: Vec<_> = planned.unfit.into_values().collect();
                if !unfit.is_empty() {
                    return Err(unfit);
                }
                let folders = situation.facts.get(first);
                let folders = folders.map(|facts| Folders::usual(facts.node.data_dir.clone()));
                let usual = || Folders::usual(situation.inventory.cluster.distribution.data_dir());
                let folders = folders.unwrap_or_else(usual);
                let plan = plan::restore(&order, (first, &folders), servers, book);
                let notes = [Some(then(situation, first, self.source.from())), note];
                return Ok(Decision {
                    about,
                    notes: notes.into_iter().flatten().collect(),
                    unfit: BTreeMap::new(),
                    waiting: BTreeMap::new(),
                    secrets: Vec::new(),
                    plan: plan.map_err(|problem| vec![problem])?,
                    again: format!("the servers are stopped; {first} begins"),
                    fetches: Vec::new(),
                    rules: (phase, None),
                });
            }
            RestorePhase::Begin { first } => {
                again = Some(format!("{first} has begun; the others follow"));
                Some(self.source.begins(&self.id, first))
            }
            RestorePhase::Follow => None,
        };
        let situation = if order.is_some() {
            &afterwards
        } else {
            situation
        };
        let decision = self
            .deploy
            .decide_with(situation, release, book, None, order)?;
        Ok(Decision {
            about,
            notes: note.into_iter().chain(decision.notes).collect(),
            unfit: decision.unfit,
            waiting: decision.waiting,
            secrets: decision.secrets,
            plan: decision.plan,
            again: again.unwrap_or(decision.again),
            fetches: decision.fetches,
            rules: (phase, Some(decision.rules)),
        })
    }

    fn question(&self) -> Option<Question<'_>> {
        Some(Question {
            ui: self.ui,
            is_answered: self.is_agreed,
        })
    }

    async fn follow(
        &self,
        context: &Context,
        survey: &Survey<Self::Rules>,
    ) -> Result<Option<String>, Problem> {
        match &survey.decision.rules.1 {
            Some(deployment) => {
                self.deploy
                    .fetched(context, &survey.gathered, deployment)
                    .await
            }
            None => Ok(None),
        }
    }
}

/// What hosts will say when their servers are stopped and their data is put aside.
fn without_data(facts: &BTreeMap<String, Facts>) -> BTreeMap<String, Facts> {
    let mut facts = facts.clone();
    for Facts { node, .. } in facts.values_mut() {
        node.datastore = None;
        node.restored = None;
        node.kubeconfig = None;
        node.api_ready = false;
        node.nodes.clear();
        node.members.clear();
        "inactive".clone_into(&mut node.server_unit.active);
    }
    facts
}

/// What is planned only when the servers are stopped.
fn then(situation: &Situation<'_>, first: &str, from: RestoreFrom<'_>) -> String {
    let names = |is_wanted: fn(&Host) -> bool| {
        let hosts = situation.inventory.hosts.iter();
        let hosts = hosts.filter(|host| is_wanted(host) && host.name != first);
        hosts.map(|host| host.name.as_str()).collect::<Vec<_>>()
    };
    let servers = names(Host::is_server);
    let agents = names(|host| !host.is_server());
    let with = match from {
        RestoreFrom::Snapshot(snapshot) => {
            format!("begins with the snapshot of {}", snapshot.datastore)
        }
        RestoreFrom::Survivor(_) => {
            "goes on with its own data, as the only member of etcd; what it had not heard of is lost"
                .to_owned()
        }
    };
    let mut text = format!("when the servers are stopped, {first} {with}");
    if !servers.is_empty() {
        text.push_str(&format!(
            "; {} join it with nothing of their own",
            servers.join(", ")
        ));
    }
    if !agents.is_empty() {
        text.push_str(&format!("; agents start again ({})", agents.join(", ")));
    }
    if matches!(from, RestoreFrom::Snapshot(_)) || !servers.is_empty() {
        text.push_str(
            ". The data that is put aside stays on its server, in a folder with -old- in its name",
        );
    }
    text
}
