//! What a host is asked of k0s.

use crate::distribution::version::Version;
use crate::facts::{Questions, members_told};

/// What a host is asked of k0s.
pub(super) const QUESTIONS: Questions = Questions {
    node: include_str!("node.sh"),
    cluster: include_str!("cluster.sh"),
    version: |said| Some(Version::from_output(said, "")?.to_string()),
    // A member is called as its host, or as the node where that has another name.
    members: |reply| members_told(reply, str::to_owned),
    controllers: &["cpu", "cpuset", "devices", "freezer", "memory", "pids"],
    units: &["k0scontroller.service", "k0sworker.service"],
};
