//! `towline node-token`: the token with which agents, or servers, join a server's cluster.

use crate::adhoc::AdHocInventory;
use crate::cli::{Environment, NodeTokenArguments};
use crate::engine::told;
use crate::problem::{Code, ExitCode, problem};
use crate::run::event::Events;
use crate::run::report::Report;
use crate::ui::Ui;

pub(super) async fn run(
    arguments: NodeTokenArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    told(&ui, async |events: Events| {
        let mut adhoc = AdHocInventory::token_of(&arguments)?;
        let context = adhoc.context(&arguments.login, None, environment, &ui, events);
        let context = context.await?;
        let gathered = context.gather().await?;
        let Some(facts) = gathered.facts.get(&adhoc.target) else {
            return Ok((Report::without_hosts(context.begun, false), None));
        };
        adhoc.found_data(&adhoc.target.clone(), facts)?;
        // Where agents have no token of their own, the servers' lets them in.
        let own = facts.node.agent_token.clone().filter(|_| !arguments.server);
        let Some(token) = own.or_else(|| facts.node.server_token.clone()) else {
            return Err(problem!(
                Code::NO_CLUSTER,
                host = &adhoc.target,
                "there is no token here"
            )
            .because(format!(
                "{}/server/token is missing: no server of a cluster has run on it",
                facts.node.data_dir
            ))
            .into());
        };
        // Printing it is what was asked for; nowhere else is it shown, so it is no event.
        context.events.told().await;
        ui.token(&token);
        Ok((Report::without_hosts(context.begun, true), None))
    })
    .await
}
