//! `towline upgrade`: from one version of a cluster to another.

use std::time::Duration;

use crate::cli::{AtOnce, DrainPolicy, Environment, UpgradeArguments};
use crate::cluster::{Drain, MaxUnavailable, UpgradePolicy};
use crate::engine::{
    Context, Deploy, KubeconfigTarget, Rewritten, Upgrade, execute, preview, save_first, told,
    version,
};
use crate::inventory::VersionChoice;
use crate::problem::ExitCode;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(
    arguments: UpgradeArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    told(&ui, async |events: Events| {
        let mut context = Context::new(&arguments.inventory, environment, &ui, events).await?;
        let to = match (&arguments.to, &arguments.channel) {
            (Some(typed), _) => Some(version(&context.inventory, typed)?),
            (None, Some(channel)) => Some(context.resolve(channel.clone()).await?),
            (None, None) => None,
        };
        let rewritten = match to {
            Some(version) => {
                let rewritten = Rewritten::of(&context.inventory, &version)?;
                context.inventory.cluster.version = VersionChoice::Exact(version);
                Some(rewritten)
            }
            None => None,
        };
        context.fetch_manifests().await?;
        let upgrade = Upgrade {
            deploy: Deploy {
                kubeconfig: Some(KubeconfigTarget::new(&arguments.kubeconfig, environment)),
                ..Deploy::default()
            },
            policy: UpgradePolicy {
                drain: match arguments.drain {
                    DrainPolicy::Always => Drain::Always,
                    DrainPolicy::Minor => Drain::Minor,
                    DrainPolicy::Never => Drain::Never,
                },
                drain_timeout: Duration::from_secs(arguments.drain_timeout.into()),
                max_unavailable: match arguments.max_unavailable {
                    AtOnce::Count(count) => MaxUnavailable::Count(count),
                    AtOnce::Percent(percent) => MaxUnavailable::Percent(percent),
                },
                snapshot: !arguments.no_snapshot,
            },
        };
        let survey = context.survey(&upgrade).await?;
        if arguments.plan {
            return Ok(preview(&context, &upgrade, &survey));
        }
        if let Some(rewritten) = rewritten {
            rewritten.write(&context)?;
        }
        match save_first(&context, &upgrade, survey).await? {
            Ok(survey) => execute(&context, &upgrade, survey).await,
            Err(conclusion) => Ok(conclusion),
        }
    })
    .await
}
