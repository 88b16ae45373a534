//! `towline join`: one machine joins a cluster.

use crate::adhoc::{self, AdHocInventory, advice, save};
use crate::cli::{Environment, JoinArguments};
use crate::cluster::ClusterState;
use crate::engine::{Deploy, execute, preview, told};
use crate::problem::{Code, ExitCode, Problem};
use crate::run::event::Events;
use crate::run::report::Report;
use crate::ui::Ui;

pub(super) async fn run(arguments: JoinArguments, environment: &Environment, ui: Ui) -> ExitCode {
    told(&ui, async |events: Events| {
        let mut adhoc = AdHocInventory::join(&arguments)?;
        let (login, overrides) = (&arguments.login, arguments.overrides.as_deref());
        let context = adhoc.context(login, overrides, environment, &ui, events);
        let mut context = context.await?;
        let gathered = context.gather().await?;
        if let Some(name) = adhoc.read_server().map(str::to_owned) {
            let Some(facts) = gathered.reach.get(&name).and_then(|reach| reach.facts()) else {
                let report = Report::without_hosts(context.begun, false);
                return Ok((report, Some(advice::unread(&name))));
            };
            adhoc::of_server(&mut adhoc, &name, facts, arguments.server)?;
            context = context.with(adhoc.inventory(environment)?);
        }
        let deploy = Deploy {
            adopt: false,
            reset_config: arguments.reset_config,
            kubeconfig: None,
        };
        let survey = context.survey_of(&deploy, gathered).await;
        let survey = survey.map_err(advice::in_flags)?;
        if let (ClusterState::Down | ClusterState::Unknown, Some(name)) =
            (&survey.decision.rules.topology.state, adhoc.read_server())
        {
            return Err(Problem::new(
                Code::SERVER_NOT_READY,
                format!("{name}: k3s has data here and is not READY, so nothing can join it"),
            )
            .next("systemctl status k3s  and  journalctl -u k3s  on it say why")
            .into());
        }
        if arguments.plan {
            return Ok(preview(&context, &deploy, &survey));
        }
        let save = arguments.save_inventory.as_deref();
        save::before(save, &mut adhoc, &survey, &context)?;
        let (report, next) = execute(&context, &deploy, survey).await?;
        Ok((report, advice::goes_on(save, next, adhoc.read_server())))
    })
    .await
}
