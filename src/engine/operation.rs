//! What differs between `deploy`, `reset` and whatever else is done to a cluster: its rules, what is
//! asked before the first change, and what follows the last. The rest is the same for all of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::context::Context;
use super::refusal::Refusal;
use crate::artifacts::Fetch;
use crate::cluster::Situation;
use crate::plan::{Judged, Plan};
use crate::playbook::Book;
use crate::problem::Problem;
use crate::run::gather::Gathered;
use crate::ui::Ui;
use crate::vars::Secret;

/// Something that is done to the hosts of an inventory.
pub trait Operation {
    /// What was looked up, beyond what the hosts say, before it is decided.
    type LookedUp;
    /// What its rules come to; equal where nothing that matters is different.
    type Rules: PartialEq;

    /// What it is called in messages: `deploy`.
    const NAME: &'static str;

    /// Whether it fails because a host outside the selection cannot be reached.
    const NEEDS_ALL_HOSTS: bool;

    /// Asks, over the network or on the hosts, what has to be known to decide.
    async fn look_up(
        &self,
        context: &Context,
        gathered: &mut Gathered,
    ) -> Result<Self::LookedUp, Refusal>;

    /// Decides what is done. Pure: the same answers give the same decision.
    fn decide(
        &self,
        situation: &Situation<'_>,
        looked_up: Self::LookedUp,
        book: &Book,
    ) -> Result<Decision<Self::Rules>, Vec<Problem>>;

    /// The question before the first change, where there is one.
    fn question(&self) -> Option<Question<'_>> {
        None
    }

    /// What is done when all stages are; returns what to type next.
    async fn follow(
        &self,
        context: &Context,
        survey: &Survey<Self::Rules>,
    ) -> Result<Option<String>, Problem>;
}

/// What the hosts are, and what follows.
pub struct Survey<Rules> {
    /// What the hosts answered.
    pub gathered: Gathered,
    /// What is to be done, and the rules' view that it follows from.
    pub decision: Decision<Rules>,
    /// What the plan means for the hosts as they are now.
    pub judged: Arc<Judged>,
}

/// What an operation does, decided.
pub struct Decision<Rules> {
    /// What the rules of the operation come to.
    pub rules: Rules,
    /// What the plan is about, as a sentence.
    pub about: String,
    /// Things that the user should know.
    pub notes: Vec<String>,
    /// Hosts that cannot be used as they are, with the words for it.
    pub unfit: BTreeMap<String, Problem>,
    /// Hosts with which nothing is done now, and why.
    pub waiting: BTreeMap<String, String>,
    /// Secrets that were found or made.
    pub secrets: Vec<Secret>,
    /// The stages.
    pub plan: Plan,
    /// Why the rest is planned only when the stages of the plan are done, where it is.
    pub again: String,
    /// Files of this machine that hosts may need, and how those are fetched that are not here yet.
    pub fetches: Vec<(PathBuf, Fetch)>,
}

/// A question before the first change: whether what the plan says is meant.
pub struct Question<'a> {
    /// Where it is asked.
    pub ui: &'a Ui,
    /// Whether it was answered by a flag.
    pub is_answered: bool,
}
