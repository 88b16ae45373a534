//! What a host is asked of k3s.

use crate::distribution::version::Version;
use crate::facts::{Questions, members_told};

/// What a host is asked of k3s.
pub(super) const QUESTIONS: Questions = Questions {
    node: include_str!("node.sh"),
    cluster: include_str!("cluster.sh"),
    version: |said| Some(Version::from_output(said, "k3s version ")?.to_string()),
    members: |reply| members_told(reply, node_of_member),
    controllers: &["cpu", "cpuset", "memory"],
    units: &["k3s.service", "k3s-agent.service"],
};

/// A member is called as its node, with a dash and eight hexadecimal digits behind.
fn node_of_member(name: &str) -> String {
    name.rsplit_once('-')
        .map_or(name, |(node, _)| node)
        .to_owned()
}
