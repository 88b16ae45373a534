//! The questions that are made of what a distribution asks of a host.

use std::fmt::Write as _;
use std::time::Duration;

use super::{OtherKubernetes, Questions, Voter, is_node_name, parse, voters};
use crate::inventory::DataDir;
use crate::shell::{Reply, Script, quote};

impl Questions {
    /// The start of every question about a distribution with its data in that folder.
    fn begin(&self, data_dir: &DataDir) -> String {
        format!(
            "data={data_dir}\n{}{}{}",
            include_str!("tools.sh"),
            include_str!("nodes.sh"),
            self.cluster
        )
    }

    /// The read-only question whose answer [`Facts::parse`](super::Facts::parse) understands; the
    /// distribution's data is looked for in that folder.
    pub fn facts(&self, data_dir: &DataDir) -> Script {
        let mut text = self.begin(data_dir);
        let _ = writeln!(
            text,
            "kubernetes='{}'\ncontrollers='{}'\ntools='{}'\n{}{}say complete yes",
            OtherKubernetes::units(),
            self.controllers.join(" "),
            super::TOOLS.join(" "),
            include_str!("probe.sh"),
            self.node
        );
        Script::new(text).within(Duration::from_mins(1))
    }

    /// The question of a server about who votes in etcd, which [`Self::voters_told`] understands. Before
    /// it, the turn to stop a server is taken for `holder`, which has the form `NODE/RUN`; [`turn_told`]
    /// says who has it.
    pub fn voters(&self, data_dir: &DataDir, holder: &str) -> Script {
        let text = format!(
            "{}{}turn {}\nnodes\nmembers\npeers\n",
            self.begin(data_dir),
            include_str!("turn.sh"),
            quote(holder)
        );
        Script::new(text).within(Duration::from_secs(70))
    }

    /// The answer to [`Self::voters`]; `None` when neither the API nor etcd answered the server.
    pub fn voters_told(&self, reply: &Reply) -> Option<Vec<Voter>> {
        let members = (self.members)(reply);
        let answered = parse::is_api_ready(reply) || !members.is_empty();
        answered.then(|| voters::voters(&parse::nodes(reply), &members))
    }
}

/// Who has the turn to stop a server, as node and run; `None` when the server's API did not answer.
pub fn turn_told(reply: &Reply) -> Option<(&str, &str)> {
    let (node, run) = reply.value("turn")?.split_once('/')?;
    is_node_name(node).then_some((node, run))
}
