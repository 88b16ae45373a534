//! The keys of `config:` against what k0s has, before any host is asked.

use std::net::IpAddr;

use serde_json::Value;

use super::flags::{instead, is_known};
use crate::inventory::{Host, Inventory, Remark, Role};
use crate::vars::Origin;

/// What of k0s.yaml towline writes itself, as a path below `spec`, and what to do instead.
const OWN: [(&str, &str); 5] = [
    (
        "/api/address",
        "towline writes each host's own: `private_address` or `interface` of the host decide it",
    ),
    (
        "/storage/etcd/peerAddress",
        "towline writes each host's own: `private_address` or `interface` of the host decide it",
    ),
    ("/api/port", "towline reaches the API at 6443"),
    ("/api/k0sApiPort", "towline lets controllers join at 9443"),
    (
        "/storage/etcd/extraArgs/name",
        "a member of etcd is called as its host's node",
    ),
];

/// Why a path below `spec` is left to towline, if it is: `/api/address`.
pub fn of_towline(path: &str) -> Option<&'static str> {
    let mut own = OWN.iter();
    own.find_map(|(own, why)| (*own == path).then_some(*why))
}

/// What k0s would not take, or what towline says itself.
pub(super) fn remarks(inventory: &Inventory) -> Vec<Remark> {
    let cluster = &inventory.cluster;
    let mut remarks = Vec::new();
    let has = |role: Role| inventory.hosts.iter().any(|host| host.role.value == role);
    for (config, role, section) in [
        (&cluster.config, Role::Server, "config"),
        (&cluster.agent_config, Role::Agent, "agent_config"),
    ] {
        for key in config.keys().filter(|_| has(role)) {
            remarks.extend(unknown(key, role, section, None));
        }
    }
    for host in &inventory.hosts {
        let role = host.role.value;
        for (key, setting) in &host.config {
            remarks.extend(unknown(key, role, "config", Some(&setting.origin)));
        }
    }
    let spec = cluster.config.get("spec");
    for (path, help) in OWN {
        if spec.and_then(|spec| spec.pointer(path)).is_some() {
            let path = path.trim_start_matches('/').replace('/', ".");
            remarks.push(Remark {
                section: "config",
                key: "spec".into(),
                origin: None,
                message: format!("`spec.{path}` does not belong into `config`"),
                help: Some(help.into()),
            });
        }
    }
    for path in ["", "/api", "/network", "/storage"] {
        let part = spec.and_then(|spec| spec.pointer(path));
        if part.is_some_and(|part| !part.is_object()) {
            remarks.push(Remark {
                section: "config",
                key: "spec".into(),
                origin: None,
                message: format!(
                    "`spec{}` must be a map of keys and values",
                    path.replace('/', ".")
                ),
                help: None,
            });
        }
    }
    let external = spec.and_then(|spec| spec.pointer("/api/externalAddress")?.as_str());
    if external.is_some_and(|name| name.contains([':', '/']) && name.parse::<IpAddr>().is_err()) {
        remarks.push(Remark {
            section: "config",
            key: "spec".into(),
            origin: None,
            message: "`spec.api.externalAddress` is a name or an address alone".into(),
            help: Some("it has to forward 6443, 9443 and 8132 to the controllers; a name for clients alone is written under `tls_sans`".into()),
        });
    }
    let mut single = inventory.hosts.iter().filter(|host| is_single(host));
    if let Some(host) = single.next().filter(|_| inventory.hosts.len() > 1) {
        remarks.push(Remark {
            section: "config",
            key: "role".into(),
            origin: Some(host.role.origin.clone()),
            message: format!("nothing can join {}, which is a `single`", host.name),
            help: Some("write `role: server`: its cluster can grow".into()),
        });
    }
    remarks
}

fn unknown(
    key: &str,
    role: Role,
    section: &'static str,
    origin: Option<&Origin>,
) -> Option<Remark> {
    let is_spec = key == "spec";
    if is_spec && role == Role::Server && origin.is_none() {
        return None;
    }
    if !is_spec && is_known(key, role) {
        return None;
    }
    let command = match role {
        Role::Server => "controller",
        Role::Agent => "worker",
    };
    let (message, help) = if is_spec {
        (
            "k0s.yaml is the same on all controllers, and workers have none".to_owned(),
            Some("write `spec` under `config` of `cluster`".to_owned()),
        )
    } else {
        let help = instead(key, role);
        (
            format!("`{key}` is no flag of k0s {command}"),
            help.or_else(|| Some(format!("k0s {command} --help  lists the flags; what stands in k0s.yaml is written under `spec`"))),
        )
    };
    Some(Remark {
        section,
        key: key.to_owned(),
        origin: origin.cloned(),
        message,
        help,
    })
}

/// Whether a host is a cluster of its own, in sqlite, which never grows.
pub(super) fn is_single(host: &Host) -> bool {
    host.role_settings.contains(&("single", true))
}

/// A part of k0s.yaml as the inventory says it, by its path below `spec`.
pub(super) fn spec<'a>(inventory: &'a Inventory, path: &str) -> Option<&'a Value> {
    inventory.cluster.config.get("spec")?.pointer(path)
}

#[cfg(test)]
mod tests {
    use crate::distribution::k0s::tests::read;

    #[test]
    fn an_inventory_of_k0s_says_everything_that_is_wrong_with_it() {
        let mistakes = read(
            "
cluster:
  distribution: k0s
  version: v1.36.3+k3s1
  token: hunter2hunter2
  datastore: sqlite
  server_url: https://10.0.0.9:6443
  config: {enable-worker: true, disable_components: [metrics-server]}
hosts:
  m1: {address: 10.0.0.1, role: master}
",
        );
        insta::assert_snapshot!("mistakes", mistakes.expect_err("mistakes"));
        let remarks = read(
            "
cluster:
  distribution: k0s
  version: v1.36.3+k0s.2
  config: {spec: {api: {address: 10.0.0.1, externalAddress: 'lb:6443'}, network: 5}, no-taint: true}
  agent_config: {no-taints: true, spec: {}}
hosts:
  m1: {address: 10.0.0.1, role: single}
  w1: {address: 10.0.0.2, role: worker, config: {spec: {}}}
",
        );
        insta::assert_snapshot!("remarks", remarks.expect_err("mistakes"));
    }
}
