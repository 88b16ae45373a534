//! `towline join`: one machine joins a cluster.

use crate::adhoc::{self, AdHocInventory, advice};
use crate::cli::{Environment, JoinArguments};
use crate::engine::told;
use crate::problem::ExitCode;
use crate::run::event::Events;
use crate::run::report::Report;
use crate::ui::Ui;

pub(super) async fn run(arguments: JoinArguments, environment: &Environment, ui: Ui) -> ExitCode {
    told(&ui, async |events: Events| {
        let mut adhoc = AdHocInventory::join(&arguments)?;
        let node = &arguments.node;
        let context = adhoc.context(
            &node.login,
            node.overrides.as_deref(),
            environment,
            &ui,
            events,
        );
        let mut context = context.await?;
        let gathered = context.gather().await?;
        if let Some(name) = adhoc.read_server().map(str::to_owned) {
            let Some(facts) = gathered.facts.get(&name) else {
                let report = Report::without_hosts(context.begun, false);
                return Ok((report, Some(advice::unread(&name))));
            };
            adhoc::of_server(&mut adhoc, &name, facts)?;
            context = context.with(adhoc.inventory(environment)?);
        }
        let (report, next) = adhoc
            .deploy(node, &context, gathered, None, environment)
            .await?;
        if node.plan {
            return Ok((report, next));
        }
        let save = node.save_inventory.as_deref();
        Ok((report, advice::goes_on(save, next, adhoc.read_server())))
    })
    .await
}
