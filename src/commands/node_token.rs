//! `towline node-token`: the token with which agents, or servers, join a server's cluster.

use crate::adhoc::AdHocInventory;
use crate::cli::{Environment, NodeTokenArguments};
use crate::distribution::JoinToken;
use crate::engine::told;
use crate::inventory::Role;
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
        let role = if arguments.server {
            Role::Server
        } else {
            Role::Agent
        };
        let token = match (adhoc.distribution.token)(facts, role) {
            JoinToken::Kept(token) => token,
            JoinToken::Made(script) => gathered.token(&adhoc.target, &script).await?,
            JoinToken::Missing(why) => {
                return Err(problem!(
                    Code::NO_CLUSTER,
                    host = &adhoc.target,
                    "there is no token here"
                )
                .because(why)
                .into());
            }
        };
        // Printing it is what was asked for; nowhere else is it shown, so it is no event.
        context.events.told().await;
        ui.token(&token);
        Ok((Report::without_hosts(context.begun, true), None))
    })
    .await
}
