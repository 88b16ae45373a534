//! Which snapshots there are: on servers, and as the cluster knows them elsewhere.

use super::{Keeper, SnapshotStore};
use crate::kubernetes::seconds;
use crate::run::Event;
use crate::run::event::SnapshotRow;
use crate::shell::{Reply, Script};

impl SnapshotStore<'_> {
    /// All of them, the latest first.
    pub(super) async fn all(&self) -> Vec<SnapshotRow> {
        let keepers = self.keepers();
        let asked = keepers.iter().map(|keeper| async move {
            let script = Script::new(self.script(keeper, "list"));
            let reply = self.ask(keeper, &script, "its snapshots were not listed");
            (keeper, reply.await)
        });
        let mut all = Vec::new();
        for (keeper, reply) in futures::future::join_all(asked).await {
            match reply {
                Ok(reply) => {
                    all.extend(reply.values("file").filter_map(|line| listed(keeper, line)));
                }
                Err(problem) => self.context.events.send(Event::Trouble { problem }),
            }
        }
        if let Some(via) = keepers.iter().find(|keeper| keeper.facts.serves()) {
            let script = Script::new(self.script(via, "records"));
            let told = self.gathered.ask(&via.host.name, &script).await;
            let told = told.map_or_else(
                |_| Vec::new(),
                |reply| (self.snapshots.records)(&reply.stdout),
            );
            all.extend(told.into_iter().filter_map(|one| {
                // What is on a server was listed there.
                (one.failure.is_some() || one.elsewhere.is_some()).then(|| SnapshotRow {
                    snapshot: one.name,
                    host: one.node,
                    bytes: one.bytes,
                    taken: one.taken.as_deref().and_then(seconds),
                    location: one.elsewhere,
                    failure: one.failure,
                })
            }));
        }
        all.sort_by(|one, other| (other.taken, &one.snapshot).cmp(&(one.taken, &other.snapshot)));
        all
    }
}

/// The server that has a snapshot.
pub(super) fn keeper<'a>(keepers: &'a [Keeper<'a>], row: &SnapshotRow) -> Option<&'a Keeper<'a>> {
    let location = row.location.as_ref()?;
    let mut keepers = keepers.iter();
    keepers.find(|one| {
        one.host.name == row.host && *location == format!("{}/{}", one.folder, row.snapshot)
    })
}

/// A line of a server's list: size, time, name.
fn listed(keeper: &Keeper<'_>, line: &str) -> Option<SnapshotRow> {
    let (size, rest) = line.split_once(' ')?;
    let (taken, name) = rest.split_once(' ')?;
    row(keeper, name, size, taken)
}

/// The same of one that was taken just now.
pub(super) fn saved(keeper: &Keeper<'_>, reply: &Reply) -> Option<SnapshotRow> {
    row(
        keeper,
        reply.value("saved")?,
        reply.value("bytes")?,
        reply.value("taken")?,
    )
}

/// A host says what it likes: a name becomes a path here.
fn row(keeper: &Keeper<'_>, name: &str, size: &str, taken: &str) -> Option<SnapshotRow> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte);
    let is_name = !name.starts_with('.') && !name.is_empty() && name.len() <= 250;
    (is_name && name.bytes().all(is_plain)).then(|| SnapshotRow {
        snapshot: name.to_owned(),
        host: keeper.host.name.clone(),
        bytes: size.parse().ok(),
        taken: taken.parse().ok(),
        location: Some(format!("{}/{name}", keeper.folder)),
        failure: None,
    })
}
