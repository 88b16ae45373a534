//! What a running cluster of k0s has and cannot change.

use serde_json::Value;

use super::keys::is_single;
use super::told::{own_yaml, running};
use crate::facts::{Datastore, Facts};
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};

/// The networks of pods and services where nothing is said.
pub(super) const RANGES: [(&str, &str); 2] = [
    ("/network/podCIDR", "10.244.0.0/16"),
    ("/network/serviceCIDR", "10.96.0.0/12"),
];

/// Those of IPv6, where `dualStack` is on.
pub(super) const OTHER_RANGES: [(&str, &str); 2] = [
    ("/network/dualStack/IPv6podCIDR", "fd00::/108"),
    ("/network/dualStack/IPv6serviceCIDR", "fd01::/108"),
];

/// What a cluster was made with and keeps, by its path in `spec`, and what it is where nothing is said.
const FIXED: [(&str, &str); 4] = [
    RANGES[0],
    RANGES[1],
    ("/network/provider", "kuberouter"),
    ("/network/clusterDomain", "cluster.local"),
];

/// What a controller would get otherwise and cannot change.
pub(super) fn changed(host: &Host, facts: &Facts, wants: &Value) -> Option<Problem> {
    let name = &host.name;
    let is_single = is_single(host);
    if (facts.node.datastore == Some(Datastore::Sqlite)) != is_single {
        return Some(
            problem!(
                Code::SETTING_FIXED,
                host = name,
                "it was made with role {}, and the inventory says otherwise ({})",
                if is_single { "server" } else { "single" },
                host.role.origin
            )
            .because("a single keeps its data in sqlite, which is never moved to etcd")
            .next(
                "leave its role as it is, or reset it and make the cluster anew (its data is lost)",
            ),
        );
    }
    let has = if let Some(spec) = running(facts) {
        spec
    } else {
        facts.node.config.as_ref()?;
        own_yaml(facts)
            .ok()?
            .get("spec")
            .cloned()
            .unwrap_or_default()
    };
    let (path, has, wants) = FIXED.into_iter().find_map(|(path, default)| {
        let text = |all: Option<&Value>| {
            let said = all
                .and_then(|all| all.pointer(path))
                .and_then(Value::as_str);
            said.unwrap_or(default).to_owned()
        };
        let (has, wants) = (text(Some(&has)), text(Some(wants)));
        (has != wants).then_some((path, has, wants))
    })?;
    let key = path.trim_start_matches('/').replace('/', ".");
    let last = path.rsplit('/').next().unwrap_or_default();
    Some(
        problem!(
            Code::SETTING_FIXED,
            host = name,
            "spec.{key} is {has} in this cluster, and would be {wants}"
        )
        .because("what runs in the cluster was made with it")
        .next("let the inventory say what the cluster has")
        .inventory(format!(
            "cluster: {{config: {{spec: {{network: {{{last}: {has}}}}}}}}}"
        )),
    )
}
