//! `towline join`: one machine joins a cluster.

use std::time::Instant;

use crate::adhoc::{self, AdHocInventory, advice, save};
use crate::cli::{Environment, JoinArguments};
use crate::cluster::ClusterState;
use crate::engine::{deploy, plan, told};
use crate::error::{ExitCode, Problem};
use crate::run::event::Events;
use crate::run::report::Report;
use crate::ui::Ui;

pub(super) async fn run(arguments: JoinArguments, environment: &Environment, ui: Ui) -> ExitCode {
    told(&ui, async |events: Events| {
        let begun = Instant::now();
        let mut adhoc = AdHocInventory::join(&arguments)?;
        adhoc::tell(&adhoc, &events);
        let overrides = arguments.overrides.as_deref();
        let mut context = adhoc::context(
            &adhoc,
            &arguments.login,
            overrides,
            environment,
            &ui,
            events,
        )
        .await?;
        context.reset_config = arguments.reset_config;
        let gathered = context.gather().await?;
        if let Some(name) = adhoc.read_server().map(str::to_owned) {
            let Some(facts) = gathered.reach.get(&name).and_then(|reach| reach.facts()) else {
                return Ok((
                    Report::without_hosts(begun, false),
                    Some(advice::unread(&name)),
                ));
            };
            adhoc::of_server(&mut adhoc, &name, facts, arguments.server)?;
            let (inventory, _) = adhoc.inventory(environment)?;
            context.inventory = inventory;
        }
        let survey = context.decide(gathered).await.map_err(advice::in_flags)?;
        if let (ClusterState::Down | ClusterState::Unknown, Some(name)) =
            (&survey.topology.state, adhoc.read_server())
        {
            return Err(Problem::new(format!(
                "{name}: k3s has data here and is not READY, so nothing can join it"
            ))
            .next("systemctl status k3s  and  journalctl -u k3s  on it say why")
            .into());
        }
        if arguments.plan {
            return Ok(plan::tell(&context, &survey, begun));
        }
        let save = arguments.save_inventory.as_deref();
        save::before(save, &mut adhoc, &survey, &context)?;
        let (report, next) = deploy::go(&context, survey, begun, None).await?;
        Ok((report, advice::goes_on(save, next, adhoc.read_server())))
    })
    .await
}
