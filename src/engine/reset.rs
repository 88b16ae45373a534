//! From hosts of a cluster to bare machines.

use std::collections::BTreeMap;

use super::context::Context;
use super::operation::{Decision, Operation, Question, Survey};
use super::refusal::Refusal;
use crate::cluster::{self, Situation};
use crate::distribution;
use crate::plan;
use crate::playbook::Book;
use crate::problem::Problem;
use crate::run::gather::Gathered;
use crate::run::{Event, planned};
use crate::ui::Ui;

/// Removes the selected hosts from their cluster, and the cluster from them.
pub struct Reset<'a> {
    /// Where it is asked whether that is meant.
    pub ui: &'a Ui,
    /// Whether it was agreed to already.
    pub is_agreed: bool,
}

impl Operation for Reset<'_> {
    type LookedUp = ();
    type Rules = cluster::ResetOrder;

    const NAME: &'static str = "reset";
    const NEEDS_ALL_HOSTS: bool = false;

    async fn look_up(&self, _: &Context, _: &mut Gathered) -> Result<(), Refusal> {
        Ok(())
    }

    fn decide(
        &self,
        situation: &Situation<'_>,
        (): (),
        book: &Book,
    ) -> Result<Decision<cluster::ResetOrder>, Vec<Problem>> {
        let mut rules = cluster::reset(situation)?;
        let hosts = rules.waves.iter().flat_map(|wave| &wave.hosts);
        let names: Vec<_> = hosts.map(String::as_str).collect();
        Ok(Decision {
            about: format!(
                "{}: {} and its data are removed from {}",
                situation.inventory.cluster.name,
                situation.rules.product().name,
                names.join(", ")
            ),
            plan: plan::reset(situation, &rules, book).map_err(|problem| vec![problem])?,
            notes: std::mem::take(&mut rules.notes),
            unfit: std::mem::take(&mut rules.unfit),
            waiting: BTreeMap::new(),
            secrets: Vec::new(),
            again: String::new(),
            fetches: Vec::new(),
            rules,
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
        survey: &Survey<cluster::ResetOrder>,
    ) -> Result<Option<String>, Problem> {
        let mut unreached = survey.gathered.unreached.keys();
        if planned(&survey.judged).is_empty()
            && !unreached.any(|host| context.selected.contains(host))
        {
            context.events.send(Event::Note {
                text: format!(
                    "nothing of {} is here",
                    distribution::of(&context.inventory).rules.product().name
                ),
            });
        }
        Ok(None)
    }
}
