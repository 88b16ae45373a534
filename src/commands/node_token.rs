//! `towline node-token`: the token with which hosts join a server's cluster.

use crate::cli::{Environment, NodeTokenArguments};
use crate::error::{ExitCode, Problem};
use crate::run::event::Events;
use crate::ui::Ui;

use super::typed::{Typed, data_dir};
use super::{deploy, install};

pub(super) async fn run(
    arguments: NodeTokenArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    let mut token = None;
    let code = deploy::told(&ui, async |events: Events| {
        data_dir(&arguments.server_data_dir)?;
        let typed = Typed::server(&arguments.address, &arguments.login, "default")?;
        let road = install::road(&typed, &arguments.login, environment, &ui, events).await?;
        let gathered = road.gather().await?;
        let Some(facts) = gathered
            .reach
            .get(&typed.target)
            .and_then(|reach| reach.facts())
        else {
            return Ok((ExitCode::Failed, None));
        };
        token.clone_from(&facts.k3s.server_token);
        if token.is_none() {
            return Err(
                Problem::new(format!("{}: there is no token here", typed.target))
                    .because(
                        "/var/lib/rancher/k3s/server/token is missing: no k3s server has run on it",
                    )
                    .into(),
            );
        }
        Ok((ExitCode::Success, None))
    })
    .await;
    // Printing it is what was asked for; nowhere else is it shown.
    if let Some(token) = token {
        ui.secret(&token);
    }
    code
}
