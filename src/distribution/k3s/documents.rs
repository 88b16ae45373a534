//! Files of Kubernetes that k3s is told of by its arguments for the kubelet and the API server.

use serde_json::{Value, json};

use super::settings::elements;
use crate::distribution::Settings;
use crate::inventory::{Cluster, Document, Host, Inventory, Remark, Role};

/// The kubelet's; k3s lays it over its own (k3s 1.36, pkg/daemons/agent/agent.go `extractConfigArgs`).
const KUBELET: (&str, &str) = ("kubelet-arg", "config=/etc/rancher/k3s/kubelet.yaml");

/// The API server's, by its argument's name.
const AUDIT: (&str, &str) = (
    "kube-apiserver-arg",
    "audit-policy-file=/etc/rancher/k3s/audit-policy.yaml",
);

/// How the log is kept where nothing else is said: without a path there is none.
const LOG: [&str; 3] = [
    "audit-log-maxage=30",
    "audit-log-maxbackup=10",
    "audit-log-maxsize=100",
];

/// Arguments of a `config` that stand for a file which has a key of its own as well.
pub(super) fn remarks(inventory: &Inventory) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let keys = [(KUBELET, "kubelet_config"), (AUDIT, "audit_policy")];
    for host in &inventory.hosts {
        for ((key, argument), own) in keys {
            let is_said = match own {
                "kubelet_config" => host.kubelet_config.is_some(),
                _ => inventory.cluster.audit_policy.is_some() && host.is_server(),
            };
            let others = inventory.configured(host, key).map(elements);
            let mut others = others.unwrap_or_default().into_iter();
            if !is_said || !others.any(|other| name(&other) == name(argument)) {
                continue;
            }
            remarks.push(Remark {
                section: match host.role.value {
                    Role::Server => "config",
                    Role::Agent => "agent_config",
                },
                key: key.to_owned(),
                origin: host.config.get(key).map(|setting| setting.origin.clone()),
                message: format!("`{key}` has `{}`, and so would `{own}`", name(argument)),
                help: Some("keep one of them".to_owned()),
            });
        }
    }
    remarks
}

/// The name of an argument.
fn name(argument: &str) -> &str {
    argument.split('=').next().unwrap_or_default()
}

/// Adds the arguments to what the inventory says.
pub(super) fn tell(named: &mut Settings, cluster: &Cluster, host: &Host) {
    if host.kubelet_config.is_some() {
        add(named, KUBELET.0, KUBELET.1);
    }
    if cluster.audit_policy.is_none() || host.role.value != Role::Server {
        return;
    }
    add(named, AUDIT.0, AUDIT.1);
    let data = named.get("data-dir").and_then(Value::as_str);
    let data = data.unwrap_or(super::settings::DATA_DIR);
    let path = format!("audit-log-path={data}/server/logs/audit.log");
    for argument in std::iter::once(&*path).chain(LOG) {
        add(named, AUDIT.0, argument);
    }
}

/// Adds an argument, unless its name has a value already.
fn add(named: &mut Settings, key: &str, argument: &str) {
    let mut list = named.get(key).map(elements).unwrap_or_default();
    if !list.iter().any(|known| name(known) == name(argument)) {
        list.push(argument.to_owned());
        named.insert(key.to_owned(), json!(list));
    }
}

/// The files of a host, each with `path` and `text`; the text is empty where nothing is said.
pub(super) fn files(cluster: &Cluster, host: &Host) -> Vec<Value> {
    let kubelet = host.kubelet_config.as_ref().map(|said| &said.value.0);
    let audit = cluster.audit_policy.as_ref().map(|policy| &policy.0);
    let audit = audit.filter(|_| host.role.value == Role::Server);
    let text = |document: &Document| match &document.text {
        Some(text) => text.clone(),
        // JSON is YAML.
        None => serde_yaml::to_string(&document.content)
            .unwrap_or_else(|_| document.content.to_string()),
    };
    let file = |((_, argument), document): ((&str, &str), Option<&Document>)| {
        let path = argument.split_once('=').map(|(_, path)| path);
        json!({"path": path, "text": document.map(text).unwrap_or_default()})
    };
    [(KUBELET, kubelet), (AUDIT, audit)].map(file).to_vec()
}
