//! The nodes of a cluster and the members of its etcd, and who of them votes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// A node as the cluster's API lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// Its name.
    pub name: String,
    /// Whether its condition `Ready` is `True`.
    pub ready: bool,
    /// Whether it is not Ready for want of a network plug-in (CNI) alone.
    pub lacks_network: bool,
    /// Whether it votes in etcd, by its condition `EtcdIsVoter`; `None` on nodes without the role
    /// `etcd`. A kubelet writes its node's conditions, and cannot give it that role.
    pub voter: Option<bool>,
    /// Its first internal address.
    pub internal_ip: Option<IpAddr>,
    /// Its kubelet's version.
    pub version: String,
    /// What tells it from a later node of the same name: hex digits and dashes.
    pub uid: String,
    /// The ranges of pod addresses that it was given.
    pub pods: Vec<IpNet>,
    /// Whether it may have registered in the last five minutes, by the clock of the server that
    /// was asked.
    pub is_young: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints: the value of each `key:Effect`.
    pub taints: BTreeMap<String, String>,
}

impl ClusterNode {
    /// Whether its kubelet runs and has no complaint that could not be the network's.
    pub const fn is_alive(&self) -> bool {
        self.ready || self.lacks_network
    }
}

/// A member of etcd, as etcd lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What tells it from a later one: digits.
    pub id: String,
    /// Where its peers reach it.
    pub address: Option<IpAddr>,
    /// The name of its node; empty when it has been let in and has not started yet.
    pub node: String,
    /// Whether it only learns yet, and does not vote.
    pub is_learner: bool,
    /// Whether its etcd answered the server that was asked; `None` when it was not tried.
    pub answers: Option<bool>,
}

/// One that votes in etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// The name of its node.
    pub name: String,
    /// Where its node, or its etcd, is reached.
    pub address: Option<IpAddr>,
    /// Whether its etcd answers; `None` when it was not tried.
    pub answers: Option<bool>,
    /// Whether its node is alive, which it is called for 40 s after its power failed. One that is no
    /// node, as a server may be, is taken for alive where its etcd was not tried.
    pub alive: bool,
}

impl Voter {
    /// Whether it is up, by what the cluster says.
    pub fn is_up(&self) -> bool {
        self.answers.unwrap_or(self.alive)
    }
}

/// Who votes: as etcd says, else as the nodes with the role of etcd say.
pub(super) fn voters(nodes: &[ClusterNode], members: &[Member]) -> Vec<Voter> {
    if members.is_empty() {
        let voting = nodes.iter().filter(|node| node.voter == Some(true));
        return voting
            .map(|node| Voter {
                name: node.name.clone(),
                address: node.internal_ip,
                answers: None,
                alive: node.is_alive(),
            })
            .collect();
    }
    let voting = members.iter().filter(|member| !member.is_learner);
    voting
        .map(|member| {
            let node = nodes.iter().find(|node| node.name == member.node);
            Voter {
                name: member.node.clone(),
                address: node.and_then(|node| node.internal_ip).or(member.address),
                answers: member.answers,
                alive: node.is_none_or(ClusterNode::is_alive),
            }
        })
        .collect()
}
