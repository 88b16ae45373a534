//! What servers say of the cluster's nodes and of the members of etcd.

use k8s_openapi::List;
use k8s_openapi::api::core::v1::Node;

use super::{assert_node_name, assert_reads_back, reply};
use crate::distribution;
use crate::facts::{ClusterNode, Member, Voter, port_told, reach_told, turn_told};
use crate::kubernetes::verify::node_line;

/// The answer about who votes in etcd, about the turn to stop a server, about what a host reaches; or the list
/// of nodes as the API sends it.
pub fn nodes(data: &[u8]) {
    let said = String::from_utf8_lossy(data);
    let reply = reply(&said);
    for distribution in distribution::ALL {
        let questions = &distribution.questions;
        let members = (questions.members)(&reply);
        match questions.voters_told(&reply) {
            Some(voters) => check(&[], &members, &voters),
            None => assert!(members.is_empty()),
        }
    }
    if let Some((node, _run)) = turn_told(&reply) {
        assert_node_name(node);
    }
    let reached = reach_told(&reply);
    assert!(reached.len() <= said.lines().count());
    reached.into_keys().for_each(assert_reads_back);
    let _port = port_told(&reply);

    if let Ok(list) = serde_json::from_slice::<List<Node>>(data) {
        for line in list.items.into_iter().map(node_line) {
            assert!(!(line.ready && line.lacks_network), "{line:?}");
            assert!(line.roles.is_sorted(), "{line:?}");
        }
    }
}

/// What holds of all that is read of them, wherever it is read.
pub(super) fn check(nodes: &[ClusterNode], members: &[Member], voters: &[Voter]) {
    for node in nodes {
        assert_node_name(&node.name);
        let is_uid = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
        assert!(node.uid.chars().all(is_uid), "{node:?}");
        assert!(!(node.ready && node.lacks_network), "{node:?}");
        node.internal_ip.into_iter().for_each(assert_reads_back);
    }
    for member in members {
        let is_digit = |letter: char| letter.is_ascii_digit();
        assert!(member.id.chars().all(is_digit), "{member:?}");
        member.address.into_iter().for_each(assert_reads_back);
    }
    let voting = members.iter().filter(|member| !member.is_learner).count();
    assert!(members.is_empty() || voting == voters.len());
    for voter in voters {
        voter.address.into_iter().for_each(assert_reads_back);
    }
}
