//! A snapshot that comes to this machine, whole or not at all, with what is to be known of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Keeper, PATIENCE, SnapshotStore};
use crate::artifacts::sha256_of;
use crate::distribution;
use crate::engine::surroundings::absolute;
use crate::engine::{file, interrupt};
use crate::problem::{Code, Problem, problem};
use crate::run::event::SnapshotRow;
use crate::run::{Event, Interrupt};
use crate::shell::{Script, quote};
use crate::ssh::{Exit, RemoteFile};

/// What is to be known of a snapshot that was fetched: the file beside it.
#[derive(Debug, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// Its name.
    pub snapshot: String,
    /// The cluster's name.
    pub cluster: String,
    /// `k3s`.
    pub distribution: String,
    /// The version that has taken it.
    pub version: Option<String>,
    /// The host that has taken it.
    pub host: String,
    /// When: seconds since 1970.
    pub taken: Option<u64>,
    /// Its size.
    pub bytes: u64,
    /// The hash of what it holds.
    pub sha256: String,
    /// What tells whether a token is the one that a restore needs; the token cannot be found by it.
    pub token_fingerprint: Option<String>,
    /// The same of the token of agents, where they have one of their own.
    #[serde(default)]
    pub agent_token_fingerprint: Option<String>,
}

impl SnapshotStore<'_> {
    /// Brings a snapshot to this machine, whole or not at all, and what is to be known of it.
    pub(super) async fn bring(
        &self,
        via: &Keeper<'_>,
        row: &SnapshotRow,
        target: Option<PathBuf>,
    ) -> Result<(), Problem> {
        let cluster = &self.context.inventory.cluster.name;
        let usual = || PathBuf::from(format!("{cluster}-{}", row.snapshot));
        let target = absolute(target.unwrap_or_else(usual));
        is_free(&target)?;
        let host = &via.host.name;
        let what = format!("{} was not fetched", row.snapshot);
        let failed = || problem!(Code::SNAPSHOT_FAILED, host = host, "{what}");
        let call = format!("file={}\ndigest", quote(&row.snapshot));
        let script = Script::new(self.script(via, &call)).within(PATIENCE);
        let reply = self.ask(via, &script, &what).await?;
        let size = reply.value("bytes").and_then(|text| text.parse().ok());
        let (Some(size), Some(hash)) = (size, reply.value("sha256")) else {
            return Err(failed().because("its answer about the file cannot be used"));
        };
        let remote = self.gathered.remotes.get(host).ok_or_else(failed)?;
        let unwritable = |error: std::io::Error| {
            problem!(
                Code::FILE_UNWRITABLE,
                "{} cannot be written",
                target.display()
            )
            .because(error)
        };
        let folder = target.parent().unwrap_or(Path::new("/"));
        // For its owner alone: secrets of the cluster are in it.
        let temporary = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
        let wanted = RemoteFile {
            path: format!("{}/{}", via.folder, row.snapshot),
            size,
        };
        self.context.events.send(Event::Fetching {
            what: format!("{} from {host}", row.snapshot),
        });
        let into = temporary.reopen().map_err(unwritable)?;
        let output = tokio::select! {
            output = remote.get(&wanted, into) => output,
            () = interrupt::until(Interrupt::Finish, self.context.interrupt.clone()) => {
                return Err(failed().because("interrupted; it is on the server still"));
            }
        };
        if output.exit != Exit::Code(0) {
            return Err(failed().because(output.exit.to_string()));
        }
        let (received, _) = sha256_of(temporary.path()).map_err(unwritable)?;
        if received != hash {
            return Err(failed()
                .because(format!(
                    "what arrived has sha256 {received}, and the file there {hash}"
                ))
                .next("it may have changed meanwhile; run the same command again"));
        }
        temporary.as_file().sync_all().map_err(unwritable)?;
        temporary
            .persist_noclobber(&target)
            .map_err(|error| unwritable(error.error))?;
        let token = via.facts.node.server_token.as_ref();
        let agent_token = via.facts.node.agent_token.as_ref();
        let record = SnapshotRecord {
            snapshot: row.snapshot.clone(),
            cluster: cluster.clone(),
            distribution: distribution::of(&self.context.inventory)
                .rules
                .product()
                .name
                .to_owned(),
            version: via.facts.node.version.clone(),
            host: host.clone(),
            taken: row.taken,
            bytes: size,
            sha256: received.clone(),
            token_fingerprint: token
                .map(|token| (self.snapshots.token_fingerprint)(token.expose())),
            agent_token_fingerprint: agent_token
                .as_ref()
                .map(|token| (self.snapshots.token_fingerprint)(token.expose())),
        };
        let text = serde_json::to_string_pretty(&record).unwrap_or_default();
        file::write(&beside(&target), &format!("{text}\n"))?;
        let given = &self.context.inventory.cluster;
        let wanted = [
            (given.token.is_none(), " --server", "token"),
            (
                given.agent_token.is_none() && agent_token.is_some(),
                "",
                "agent_token",
            ),
        ];
        for (_, flag, key) in wanted.iter().filter(|(is_missing, _, _)| *is_missing) {
            self.note(format!(
                "a restore onto new machines needs the cluster's {key} as well, which no file of the inventory has: keep what  towline node-token{flag} --ip {}  prints in a safe place",
                via.host.address
            ));
        }
        self.context.events.send(Event::SnapshotFetched {
            snapshot: row.snapshot.clone(),
            path: target.display().to_string(),
            bytes: size,
            sha256: received,
        });
        Ok(())
    }
}

/// The file with what is to be known of a snapshot.
pub fn beside(snapshot: &Path) -> PathBuf {
    let mut name = snapshot.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// Refuses a file that is there already.
pub(super) fn is_free(path: &Path) -> Result<(), Problem> {
    if path.exists() {
        return Err(
            problem!(Code::FILE_EXISTS, "{} exists already", path.display())
                .next("name another file with")
                .flag("--output-file FILE"),
        );
    }
    Ok(())
}
