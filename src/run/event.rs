//! What happens in a run, as it happens. The words on a terminal are the user interface's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::report::Report;
use crate::inventory::Mistake;
pub use crate::inventory::{ShownHost, ShownSetting};
use crate::problem::{Code, Problem};

mod channel;
mod rows;

pub use channel::{Events, Receiver};
pub use rows::{
    HostKeyRow, HostKeyState, MemberRow, NodeRow, Planned, PlannedChange, PlannedState, RoleRow,
    SnapshotRow, UserRow,
};

/// Something that happened: one JSON object in a line. Times are seconds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The hosts of the inventory are about to be connected to, so many at once.
    Gathering {
        /// All of them, in the order of the inventory.
        hosts: Vec<String>,
    },
    /// A host is being connected to.
    Connecting {
        /// The host.
        host: String,
        /// How it is reached, and where each of these values comes from; at verbosity 1 and up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        settings: Vec<ShownSetting>,
    },
    /// A host answered and its facts are known.
    Reached {
        /// The host.
        host: String,
        /// Time for connection and facts.
        seconds: f64,
    },
    /// A host could not be reached, or its answer cannot be used.
    Unreached {
        /// The host.
        host: String,
        /// Why.
        problem: Problem,
    },
    /// What a plan found, host by host.
    Plan {
        /// What the plan is about, as a sentence.
        about: String,
        /// The steps that are not as they should be.
        steps: Vec<Planned>,
        /// Hosts of which it is not known what would change: they were not reached, cannot be used
        /// as they are, or wait for others.
        unknown: Vec<String>,
    },
    /// What is sent to a host, at verbosity 1 and up.
    Sent {
        /// The host.
        host: String,
        /// The script, without the contents of files.
        script: String,
    },
    /// What a host answered, at verbosity 2 and up.
    Answered {
        /// The host.
        host: String,
        /// The answer, without packed values.
        answer: String,
    },
    /// Something that the user should know and that changes nothing.
    Note {
        /// The sentence.
        text: String,
    },
    /// A stage begins in which something is to be done.
    Stage {
        /// Its name.
        stage: String,
        /// So many hosts take part.
        hosts: usize,
    },
    /// It is a host's turn in a stage.
    Entered {
        /// The host.
        host: String,
        /// The stage.
        stage: String,
    },
    /// A host's turn in a stage is over, whatever came of it.
    Left {
        /// The host.
        host: String,
        /// The stage.
        stage: String,
        /// How long it took.
        seconds: f64,
    },
    /// A step begins to change a host.
    Begun {
        /// The host.
        host: String,
        /// The step.
        step: String,
        /// What it changes.
        changes: Vec<String>,
    },
    /// A file is on its way to a host; told at most once a second.
    Uploading {
        /// The host.
        host: String,
        /// The step.
        step: String,
        /// So many bytes are on their way or have arrived.
        bytes: u64,
        /// So many there are.
        total: u64,
        /// Bytes a second since the beginning.
        rate: u64,
    },
    /// A step waits for something that is under way.
    Waiting {
        /// The host.
        host: String,
        /// The step.
        step: String,
        /// What for.
        until: String,
    },
    /// A step changed a host, and a second look showed that it is so now.
    Changed {
        /// The host.
        host: String,
        /// The step.
        step: String,
        /// What it changed; empty when it only waited.
        changes: Vec<String>,
        /// How long it took.
        seconds: f64,
    },
    /// A step failed; its host leaves the run.
    Failed {
        /// The host.
        host: String,
        /// The step.
        step: String,
        /// Why.
        problem: Problem,
    },
    /// Steps of a host are not done, though nothing failed on it.
    Cancelled {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// The hosts are asked again, since more is known now.
    Replanning {
        /// What is known now.
        reason: String,
    },
    /// A file is fetched to this machine.
    Fetching {
        /// What.
        what: String,
    },
    /// The kubeconfig is tried with a request from here.
    Trying {
        /// The address of the server in it.
        server: String,
    },
    /// The run was interrupted.
    Interrupted {
        /// Whether it is the second time, and the connections are dropped.
        again: bool,
    },
    /// The kubeconfig was written and tried.
    Kubeconfig {
        /// Where it was written.
        path: String,
        /// The address of the server in it.
        server: String,
        /// The nodes, as an API request from here shows them.
        nodes: Vec<NodeRow>,
        /// The members of etcd as a server lists them, where some are no nodes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        members: Vec<MemberRow>,
        /// Whether the API was tried over SSH: its address is not reached from here.
        #[serde(default)]
        over_ssh: bool,
    },
    /// Something about the cluster as a whole failed.
    Trouble {
        /// What and why.
        problem: Problem,
    },
    /// The snapshots of a cluster.
    Snapshots {
        /// The latest first.
        snapshots: Vec<SnapshotRow>,
    },
    /// A snapshot was taken.
    SnapshotSaved {
        /// The server that has it.
        host: String,
        /// Its name.
        snapshot: String,
        /// Its size.
        bytes: u64,
    },
    /// A snapshot was fetched to this machine.
    SnapshotFetched {
        /// Its name.
        snapshot: String,
        /// Where it is; what is to be known of it is beside it, in a file with `.json` behind its name.
        path: String,
        /// Its size.
        bytes: u64,
        /// The hash of what it holds.
        sha256: String,
    },
    /// A snapshot was deleted from a server.
    SnapshotDeleted {
        /// The server.
        host: String,
        /// Its name.
        snapshot: String,
    },
    /// Refused before anything was changed.
    Refused {
        /// Why.
        problems: Vec<Problem>,
        /// The mistakes in the inventory, where they are the reason.
        mistakes: Vec<Mistake>,
    },
    /// Not all nodes are Ready yet: what `towline ready` found at one of its attempts.
    NotReady {
        /// Which attempt it was, from 1.
        attempt: u32,
        /// So many are made.
        attempts: u32,
        /// Which nodes, or why they are not known.
        problem: Problem,
    },
    /// All nodes are Ready: the good end of `towline ready`.
    Ready {
        /// The context of the kubeconfig.
        context: String,
        /// The nodes.
        nodes: Vec<NodeRow>,
    },
    /// The keys that the hosts show, and what `towline trust` made of them.
    HostKeys {
        /// The hosts, each with those before it that it is reached through.
        keys: Vec<HostKeyRow>,
    },
    /// The users of a cluster that `towline user list` found.
    Users {
        /// All that towline has made, by name.
        users: Vec<UserRow>,
    },
    /// A user was made, and its kubeconfig written and tried.
    UserCreated {
        /// The user.
        user: UserRow,
        /// Where its kubeconfig was written.
        path: String,
        /// The address of the server in it.
        server: String,
    },
    /// All that towline gave to a user was taken away.
    UserDeleted {
        /// The user, as it was before.
        user: UserRow,
    },
    /// The token that `towline node-token` was asked for; no other event holds a secret.
    Token {
        /// The token.
        token: String,
    },
    /// What `towline explain` says of a code.
    Explained {
        /// The code.
        code: Code,
        /// What it means and how it comes about, in Markdown.
        cause: String,
        /// What to do, in Markdown.
        remedy: String,
    },
    /// A file of the cache, as `towline cache` lists or removes it.
    Cached {
        /// The name of the distribution.
        distribution: String,
        /// The version of the distribution.
        version: String,
        /// The architecture.
        architecture: String,
        /// The mirror that it came from; without one, the project's own releases.
        mirror: Option<String>,
        /// Where it is.
        path: String,
        /// Its size.
        bytes: u64,
        /// Whether it was removed.
        removed: bool,
    },
    /// A manifest of the cache, as `towline cache` lists or removes it.
    CachedManifest {
        /// The hash of what it holds.
        sha256: String,
        /// Where it is.
        path: String,
        /// Its size.
        bytes: u64,
        /// Whether it was removed.
        removed: bool,
    },
    /// An inventory without mistakes.
    Checked {
        /// Its files, as they were named.
        files: Vec<String>,
        /// The name of the cluster.
        cluster: String,
        /// How many of its hosts are servers.
        servers: usize,
        /// How many are agents.
        agents: usize,
    },
    /// What an inventory comes to for its hosts, or for the one that was asked for.
    Shown {
        /// The name of the cluster.
        cluster: String,
        /// The hosts, in the order of the inventory.
        hosts: Vec<ShownHost>,
    },
    /// An inventory that was made, or brought up to date.
    Written {
        /// Its file; none when it goes to standard output alone.
        file: Option<String>,
        /// The inventory.
        text: String,
        /// How many hosts it has.
        hosts: usize,
        /// What differs from the file as it was before, as sentences; none when the file is new.
        changes: Option<Vec<String>>,
        /// What was there and is not in it.
        left_out: Vec<LeftOut>,
    },
    /// The end of every command that was not refused.
    Finished {
        /// What came of it.
        report: Report,
    },
}

/// Something that an inventory was made of and that it does not hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it stands: a file with its line, or a machine.
    pub place: String,
    /// What it is, and why it is left out.
    pub what: String,
}
