//! What the servers of a cluster have to have in common, in any distribution.

use super::Settings;
use crate::cluster::Situation;
use crate::problem::{Code, Problem, problem};

/// Servers of which two would have different values for the keys that `differing` tells, where a server may
/// be changed; `because` is what the distribution does then.
pub(super) fn unequal(
    situation: &Situation<'_>,
    differing: impl Fn(&Settings, &Settings) -> Vec<&'static str>,
    because: &str,
) -> Option<Problem> {
    if !situation.changes_servers() {
        return None;
    }
    let inventory = situation.inventory;
    let mut servers = inventory.servers().map(|host| {
        let mut config = inventory.cluster.config.clone();
        let own = host.config.iter();
        config.extend(own.map(|(key, setting)| (key.clone(), setting.value.clone())));
        (host, config)
    });
    let (first, config) = servers.next()?;
    let (other, keys) = servers.find_map(|(host, other)| {
        let keys = differing(&config, &other);
        (!keys.is_empty()).then_some((host, keys))
    })?;
    Some(
        problem!(
            Code::SERVER_SETTINGS_DIFFER,
            "{} and {} would have different values for {}",
            first.name,
            other.name,
            keys.join(", ")
        )
        .because(because)
        .next("say it once, under  config:  of  cluster:"),
    )
}
