//! The keys that hosts show, looked at without logging in to them.

use super::target::first;
use super::{Opened, Ssh, known_hosts, login, target};
use crate::inventory::Host;
use crate::ssh::{self, ConnectError, Fingerprints, HostKeyTrust, Policy, Route, ShownHostKey};

/// A host, or one that others are reached through.
pub struct Waypoint {
    /// The host.
    pub host: Host,
    /// Those that the connection to it goes through, the nearest first.
    before: Vec<Host>,
    /// The last of these, as its place in the list.
    pub bastion: Option<usize>,
}

impl Ssh {
    /// What stands before a host.
    pub(super) fn hops(&self, host: &Host) -> &[Host] {
        self.bastions.get(&host.name).map_or(&[], Vec::as_slice)
    }

    /// The way to a host through others.
    pub(super) async fn way(&self, hops: &[Host], host: &Host) -> Result<Route, Opened> {
        let mut route = first(hops.first().unwrap_or(host));
        for (index, hop) in hops.iter().enumerate() {
            let bastion = self.bastion(&hops[..index], hop, &route, host).await?;
            route = Route::Through(bastion);
        }
        Ok(route)
    }

    /// These hosts, and before them those that they are reached through; each once.
    pub fn ways<'a>(&self, hosts: impl Iterator<Item = &'a Host>) -> Vec<Waypoint> {
        let mut ways: Vec<Waypoint> = Vec::new();
        for host in hosts {
            let before = self.hops(host);
            let mut bastion = None;
            for (index, one) in before.iter().chain([host]).enumerate() {
                let same = |hop: &Waypoint| {
                    let is_named_so = hop.host.name == one.name && hop.bastion == bastion;
                    is_named_so && login(&hop.host) == login(one)
                };
                bastion = Some(ways.iter().position(same).unwrap_or_else(|| {
                    ways.push(Waypoint {
                        host: one.clone(),
                        before: before[..index].to_vec(),
                        bastion,
                    });
                    ways.len() - 1
                }));
            }
        }
        ways
    }

    /// The key that a host shows, if it is known or this is its fingerprint: it is remembered then. Logs in
    /// only to what stands before it.
    pub async fn key_shown(
        &self,
        hop: &Waypoint,
        accepted: Option<&ShownHostKey>,
    ) -> Result<ShownHostKey, ConnectError> {
        let Waypoint { host, before, .. } = hop;
        let route = self.way(before, host).await.map_err(|error| match error {
            Opened::Unknown(_, failed) | Opened::Failed(failed) => failed.problem,
        })?;
        let trust = HostKeyTrust {
            known_hosts: known_hosts(host, &self.home),
            policy: accepted.map_or(Policy::Refuse, |key| {
                Policy::Accept(key.fingerprint.clone())
            }),
            pinned: host.ssh.host_key.value.clone(),
        };
        ssh::look(&target(host, before), &route, &trust).await
    }

    /// Whether a key is among those that are known to be right, or, without a list of them, whether the user
    /// takes it.
    pub fn takes(
        &self,
        hop: &Waypoint,
        shown: &ShownHostKey,
        listed: Option<&Fingerprints>,
    ) -> bool {
        match listed {
            Some(listed) => listed.has(&target(&hop.host, &hop.before), shown),
            None => match self.policy(&hop.host) {
                Policy::AcceptNew => true,
                Policy::Accept(fingerprint) => fingerprint == shown.fingerprint,
                Policy::Refuse | Policy::Decline => false,
            },
        }
    }
}
