//! A run on hosts that were typed.

use std::path::Path;

use super::{AdHocInventory, advice, save};
use crate::cli::{Environment, Login, NodeArguments};
use crate::cluster::ClusterState;
use crate::engine::{
    Conclusion, Context, Deploy, KubeconfigTarget, Refusal, RunOptions, config_files, execute,
    preview,
};
use crate::problem::{Code, problem};
use crate::run::Event;
use crate::run::event::Events;
use crate::run::gather::Gathered;
use crate::ui::Ui;

impl AdHocInventory {
    /// Says what is to be said of the line that was typed, and reads keys and playbooks.
    pub async fn context(
        &self,
        login: &Login,
        overrides: Option<&Path>,
        environment: &Environment,
        ui: &Ui,
        events: Events,
    ) -> Result<Context, Refusal> {
        for text in &self.notes {
            events.send(Event::Note { text: text.clone() });
        }
        let options = RunOptions {
            parallel: 8,
            accept_new_host_keys: login.accept_new_host_keys,
            ask_become_pass: login.ask_become_pass,
            ask_pass: login.ask_pass,
            overrides: overrides.map(Path::to_owned),
            local: self.local.clone(),
            ssh_config: config_files(&login.ssh),
        };
        let inventory = self.inventory(environment)?;
        let selected = [self.target.clone()].into();
        Context::of(inventory, selected, &options, environment, ui, events).await
    }

    /// Sets up the host, or shows what would change.
    pub async fn deploy(
        &mut self,
        arguments: &NodeArguments,
        context: &Context,
        gathered: Gathered,
        kubeconfig: Option<KubeconfigTarget>,
        environment: &Environment,
    ) -> Result<Conclusion, Refusal> {
        let deploy = Deploy {
            adopt: false,
            reset_config: arguments.reset_config,
            kubeconfig,
        };
        let survey = context.survey_of(&deploy, gathered).await;
        let survey = survey.map_err(advice::in_flags)?;
        if let (ClusterState::Down | ClusterState::Unknown, Some(name)) =
            (&survey.decision.rules.topology.state, self.read_server())
        {
            let unit = self.distribution.rules.product().server_unit;
            return Err(problem!(
                Code::SERVER_NOT_READY,
                host = name,
                "{} has data here and is not READY, so nothing can join it",
                self.distribution.rules.product().name
            )
            .next("on it, these say why")
            .on_host(format!("systemctl status {unit}\njournalctl -u {unit}"))
            .into());
        }
        if arguments.plan {
            return Ok(preview(context, &deploy, &survey));
        }
        let save = arguments.save_inventory.as_deref();
        save::before(save, self, &survey, context, environment)?;
        execute(context, &deploy, survey).await
    }
}
