//! What sudo is told on the hosts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::inventory::Inventory;
use crate::ssh::BecomePassword;
use crate::vars::Secret;

/// The passwords of the hosts that have one. Hosts with the same user and password share it: it may be one
/// account.
pub fn become_passwords(inventory: &Inventory) -> BTreeMap<String, Arc<BecomePassword>> {
    let mut shared: Vec<(&str, &Secret, Arc<BecomePassword>)> = Vec::new();
    let mut passwords = BTreeMap::new();
    for host in &inventory.hosts {
        let (user, password) = (&*host.ssh.user.value, &host.ssh.become_password);
        let Some(secret) = password.as_ref().map(|password| &password.value) else {
            continue;
        };
        let mut known = shared.iter();
        let known = known.find(|(name, other, _)| (*name, *other) == (user, secret));
        let password = if let Some((_, _, password)) = known {
            Arc::clone(password)
        } else {
            let password = Arc::new(BecomePassword::new(secret.clone()));
            shared.push((user, secret, Arc::clone(&password)));
            password
        };
        passwords.insert(host.name.clone(), password);
    }
    passwords
}
