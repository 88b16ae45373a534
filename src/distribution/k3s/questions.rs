//! What a host is asked of k3s.

use serde_json::Value;

use super::version::Version;
use crate::facts::{Member, Questions};
use crate::shell::{Reply, decode};

/// What a host is asked of k3s.
pub(super) const QUESTIONS: Questions = Questions {
    node: include_str!("node.sh"),
    cluster: include_str!("cluster.sh"),
    version: |said| Some(Version::from_output(said)?.to_string()),
    members,
    controllers: &["cpu", "cpuset", "memory"],
};

/// The members of etcd, from the answer to `/v3/cluster/member/list`, and which of them answered.
fn members(reply: &Reply) -> Vec<Member> {
    let list: Value = reply
        .value("members")
        .and_then(decode)
        .and_then(|packed| serde_json::from_slice(&packed).ok())
        .unwrap_or_default();
    let were_asked = reply.value("peers").is_some();
    let answered: Vec<_> = reply.values("peer").collect();
    let member = |member: &Value| {
        let urls = member["peerURLs"].as_array().into_iter().flatten();
        let mut urls = urls.filter_map(Value::as_str);
        Member {
            node: node_of_member(member["name"].as_str().unwrap_or_default()).to_owned(),
            is_learner: member["isLearner"] == true,
            answers: were_asked.then(|| urls.any(|url| answered.contains(&url))),
        }
    };
    let listed = list["members"].as_array().into_iter().flatten();
    listed.map(member).collect()
}

/// A member is called as its node, with a dash and eight hexadecimal digits behind.
fn node_of_member(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(node, _)| node)
}
