//! From one version of a cluster that runs to another.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::context::Context;
use super::deploy::{Deploy, Deployment, FoundRelease};
use super::file;
use super::operation::{Decision, Operation, Survey};
use super::refusal::Refusal;
use super::snapshot::SnapshotStore;
use super::told::Conclusion;
use crate::cluster::{self, Situation, UpgradePolicy};
use crate::distribution;
use crate::inventory::{self, Inventory, VersionChoice, edit};
use crate::playbook::Book;
use crate::problem::{Code, ExitCode, Problem, problem};
use crate::run::gather::{self, Gathered};
use crate::run::{Event, planned};

/// The stage that takes a snapshot of etcd.
const SNAPSHOT: &str = "snapshot";

/// Brings a cluster to the version that the inventory says: the hosts become what a deploy makes of them, in the
/// order of an upgrade.
#[derive(Debug)]
pub struct Upgrade {
    /// What is done beside it.
    pub deploy: Deploy,
    /// How it goes.
    pub policy: UpgradePolicy,
}

impl Operation for Upgrade {
    type LookedUp = FoundRelease;
    type Rules = Deployment;

    const NAME: &'static str = "upgrade";
    const NEEDS_ALL_HOSTS: bool = true;

    async fn look_up(
        &self,
        context: &Context,
        gathered: &mut Gathered,
    ) -> Result<FoundRelease, Refusal> {
        let wanted = cluster::to_ask(&context.situation(gathered));
        gather::ask_around(&context.inventory, &wanted, gathered, &context.limit).await;
        let version = match &context.inventory.cluster.version {
            VersionChoice::Exact(version) => version.clone(),
            VersionChoice::Channel(channel) => context.resolve(channel.clone()).await?,
        };
        Ok(FoundRelease::of(context, gathered, version).await)
    }

    fn decide(
        &self,
        situation: &Situation<'_>,
        release: FoundRelease,
        book: &Book,
    ) -> Result<Decision<Deployment>, Vec<Problem>> {
        let version = release.version().to_owned();
        let policy = Some(self.policy);
        let decision = self
            .deploy
            .decide_with(situation, release, book, policy, None)?;
        let name = &situation.inventory.cluster.name;
        let product = situation.rules.product().name;
        Ok(Decision {
            about: format!("{name}: a cluster of {product} that is upgraded to {version}"),
            ..decision
        })
    }

    async fn follow(
        &self,
        context: &Context,
        survey: &Survey<Deployment>,
    ) -> Result<Option<String>, Problem> {
        self.deploy.follow(context, survey).await
    }
}

/// Takes the snapshot that an upgrade begins with, and fetches it to this machine; afterwards the hosts are asked again,
/// and the plan finds it there. Nothing is done where the plan wants none, or has one of the last day.
///
/// # Errors
/// What came of it, where there is no snapshot to go back to; nothing else was changed.
pub async fn save_first(
    context: &Context,
    upgrade: &Upgrade,
    survey: Survey<Deployment>,
) -> Result<Result<Survey<Deployment>, Conclusion>, Refusal> {
    let Deployment { topology, version } = &survey.decision.rules;
    let wants = topology
        .upgrade
        .as_ref()
        .is_some_and(|order| order.snapshot);
    let steps = planned(&survey.judged);
    if !wants || !steps.iter().any(|step| step.stage == SNAPSHOT) {
        return Ok(Ok(survey));
    }
    let name = format!("before-{}", version.replace('+', "-"));
    let store = SnapshotStore::asked(context, survey.gathered.clone())?;
    let (report, next) = store.save(&name, true, None, false).await?;
    if report.exit_code() != ExitCode::Success {
        return Ok(Err((report, next)));
    }
    context.again(upgrade, survey.gathered).await.map(Ok)
}

/// The version of a release, as it is typed.
///
/// # Errors
/// It is none.
pub fn version(inventory: &Inventory, typed: &str) -> Result<String, Problem> {
    let releases = &distribution::of(inventory).releases;
    (releases.version)(typed).map_err(|why| {
        Problem::new(Code::COMMAND_LINE, why).because(format!(
            "a version of {} is one as {}",
            releases.name, releases.example
        ))
    })
}

/// An inventory's text with another version in it, and the file that it belongs to.
#[derive(Debug)]
pub struct Rewritten {
    file: PathBuf,
    text: String,
}

impl Rewritten {
    /// Looks for the place of the version.
    ///
    /// # Errors
    /// It cannot be written there by itself.
    pub fn of(inventory: &Inventory, version: &str) -> Result<Self, Problem> {
        let by_hand = |why: &str| {
            problem!(
                Code::COMMAND_LINE,
                "--to writes the version into the inventory, and {why}"
            )
            .next("write it there, and leave out --to")
            .inventory(format!("cluster: {{version: {version}}}"))
        };
        let [file] = &inventory.files[..] else {
            return Err(by_hand("there is more than one file"));
        };
        if file == Path::new(inventory::STANDARD_INPUT) {
            return Err(by_hand("this one is standard input"));
        }
        let file = std::fs::canonicalize(file).map_err(|error| by_hand(&error.to_string()))?;
        let text = std::fs::read_to_string(&file).map_err(|error| by_hand(&error.to_string()))?;
        let text = edit::set(&text, &["cluster", "version"], &json!(version));
        let text = text.ok_or_else(|| by_hand("its place there was not found"))?;
        Ok(Self { file, text })
    }

    /// Writes it.
    ///
    /// # Errors
    /// What the file system refuses.
    pub fn write(&self, context: &Context) -> Result<(), Problem> {
        file::write(&self.file, &self.text)?;
        let text = format!("{} says the new version from now on", self.file.display());
        context.events.send(Event::Note { text });
        Ok(())
    }
}
