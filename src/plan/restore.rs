//! The plan of what comes before a cluster begins with a snapshot: it is brought, and the servers are stopped. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::context::{FoldersContext, RestoreContext};
use super::reset::steps;
use super::{Lane, Order, Plan, Stage};
use crate::cluster::{Folders, RestoreOrder};
use crate::playbook::Book;
use crate::problem::Problem;

/// What a template knows where servers are stopped for a restore.
#[derive(Serialize, JsonSchema)]
pub(super) struct RestoringContext<'a> {
    restore: RestoreContext<'a>,
    folders: FoldersContext<'a>,
}

/// Builds the plan: these servers, with their folders, are stopped when the first one has the snapshot.
///
/// # Errors
/// A playbook that does not fit.
pub fn restore(
    order: &RestoreOrder,
    first: (&str, &Folders),
    servers: &[(String, Folders)],
    book: &Book,
) -> Result<Plan, Problem> {
    let lane = |playbook: &str, host: &str, folders: &Folders| {
        let context = json!(RestoringContext {
            restore: RestoreContext::of(Some(order), host),
            folders: FoldersContext {
                data: folders.data.as_str(),
                kubelet: folders.kubelet(),
            },
        });
        Ok(Lane {
            host: host.to_owned(),
            steps: steps(book, playbook, &context)?,
        })
    };
    let stage = |name: &str, lanes| Stage {
        name: name.to_owned(),
        order: Order::Essential,
        lanes,
        held: BTreeMap::new(),
    };
    let stopped = servers.iter();
    let stopped = stopped.map(|(host, folders)| lane("restore-stop", host, folders));
    let stopped = stopped.collect::<Result<Vec<_>, Problem>>()?;
    let mut stages = vec![
        stage("snapshot", vec![lane("restore-bring", first.0, first.1)?]),
        stage("stop the servers", stopped),
    ];
    stages.retain(|stage| stage.lanes.iter().any(|lane| !lane.steps.is_empty()));
    Ok(Plan {
        replan_after: stages.len().checked_sub(1),
        stages,
        stops: true,
    })
}
