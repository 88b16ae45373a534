//! What is looked at before anything changes: one host alone, and all hosts together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::Setting;
use super::{Rules, Situation};
use crate::facts::{Datastore, Facts, is_node_name};
use crate::inventory::{DataDir, Host, Inventory, Role};
use crate::problem::{Code, Problem, problem};
use crate::shell::quote;

/// Why towline can do nothing on a host that has another init system.
pub(super) fn no_systemd(host: &Host, facts: &Facts) -> Option<Problem> {
    (!facts.systemd).then(|| {
        problem!(
            Code::NO_SYSTEMD,
            host = &host.name,
            "its init system is not systemd"
        )
        .because(found(facts))
    })
}

/// The commands that towline's own scripts need and a host has not.
pub(super) fn lacks_commands(host: &Host, facts: &Facts) -> Option<Problem> {
    (!facts.missing.is_empty()).then(|| {
        let missing = facts.missing.join(", ");
        problem!(
            Code::COMMAND_MISSING,
            host = &host.name,
            "commands are missing: {missing}"
        )
        .on_host("apt-get install util-linux coreutils iproute2")
    })
}

/// Why a host cannot be used as it is.
pub(super) fn unfit(situation: &Situation<'_>, host: &Host, facts: &Facts) -> Option<Problem> {
    let name = &host.name;
    if let Some(problem) = no_systemd(host, facts) {
        return Some(problem);
    }
    if !facts.os.is_debian_family() {
        return Some(
            problem!(
                Code::OS_UNSUPPORTED,
                host = name,
                "this operating system is not supported yet"
            )
            .because(found(facts))
            .next("use Debian, Ubuntu or a system like them"),
        );
    }
    if facts.release_architecture().is_none() {
        return Some(problem!(
            Code::ARCHITECTURE_UNSUPPORTED,
            host = name,
            "there is no {} for its architecture, {}",
            situation.rules.product().name,
            facts.architecture
        ));
    }
    if let Some(problem) = lacks_commands(host, facts) {
        return Some(problem);
    }
    let node = situation.node_name(host, facts);
    if !is_node_name(&node) || node == "localhost" {
        return Some(
            problem!(
                Code::NODE_NAME_INVALID,
                host = name,
                "its hostname “{node}” cannot be a node's name"
            )
            .next(format!(
                "set  node_name:  for {name} in the inventory, or its hostname"
            )),
        );
    }
    if let Some(why) = situation.rules.told(facts).unreadable {
        return Some(
            problem!(Code::NODE_CONFIG_UNREADABLE, host = name, "its {why}")
                .because("it may hold the token and the address that the host joined with")
                .next("repair it on the host, or move it away"),
        );
    }
    None
}

/// What to type so that a host is bare again.
pub(super) fn reset_line(situation: &Situation<'_>, name: &str) -> String {
    format!(
        "towline reset {} --limit {name}",
        named(situation.inventory)
    )
}

/// The flags that name an inventory; a line that was typed may be saved as one.
pub(super) fn named(inventory: &Inventory) -> String {
    if inventory.whole {
        in_flags(&inventory.files)
    } else {
        "-i FILE".to_owned()
    }
}

/// The flags that name these files of an inventory, as they are typed.
pub fn in_flags(files: &[PathBuf]) -> String {
    let flags = files
        .iter()
        .map(|file| format!("-i {}", quote(&file.to_string_lossy())));
    flags.collect::<Vec<_>>().join(" ")
}

/// Why a host cannot become what it is not.
pub(super) fn other_role(situation: &Situation<'_>, host: &Host, facts: &Facts) -> Option<Problem> {
    let name = &host.name;
    let (has, wants) = (&facts.node, host.role.value);
    let other = match wants {
        Role::Server => has.agent_unit.exists().then_some("an agent"),
        Role::Agent => (has.datastore.is_some() || has.server_unit.exists()).then_some("a server"),
    }?;
    let because = "towline does not change what a host is";
    Some(if situation.inventory.whole {
        problem!(
            Code::ROLE_CHANGED,
            host = name,
            "it is {other}, and the inventory says {wants} ({})",
            host.role.origin
        )
        .because(because)
        .next("to make it bare again (its data is lost)")
        .command(reset_line(situation, name))
    } else {
        problem!(Code::ROLE_CHANGED, host = name, "it is {other} already")
            .because(because)
            .next("write it into an inventory; to make it bare again (its data is lost)")
            .command(reset_line(situation, name))
    })
}

fn found(facts: &Facts) -> String {
    let name = if facts.os.name.is_empty() {
        "an unknown system"
    } else {
        &facts.os.name
    };
    format!("it runs {name}, kernel {}", facts.kernel)
}

/// Why a node cannot be made what the inventory says: its name and, for a member of etcd, its
/// address are those that it joined with.
pub(super) fn moved(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
    node_ip: IpAddr,
) -> Option<Problem> {
    let name = &host.name;
    let next =
        "leave it so in the inventory, or remove the node, wipe the host and let it join anew";
    if let Some(problem) = renamed(situation, host, facts) {
        return Some(problem);
    }
    let was = situation.rules.told(facts).node_ip?;
    let is_member = facts.node.datastore == Some(Datastore::Etcd);
    (is_member && was != node_ip).then(|| {
        problem!(
            Code::NODE_ADDRESS_CHANGED,
            host = name,
            "its node address is {was}, and would be {node_ip}"
        )
        .because("the other members of etcd know it by that address")
        .next(next)
    })
}

/// Why a node would get another name at its next start: as a node of that name it would
/// join anew, and leave the old one behind.
fn renamed(situation: &Situation<'_>, host: &Host, facts: &Facts) -> Option<Problem> {
    let name = &host.name;
    let was = joined_as(situation.rules, facts)?;
    let given = host.node_name.as_ref().map(|name| name.value.clone());
    let told = situation.rules.told(facts);
    let (says, wanted) = match (given, told.node_name) {
        (Some(given), _) => ("the inventory says", given),
        (None, Some(configured)) => ("its config.yaml says", configured),
        (None, None) => ("its hostname is now", facts.hostname.clone()),
    };
    let wanted = wanted.to_lowercase();
    let only_by_id = told.is_suffixed && was.starts_with(&format!("{wanted}-"));
    (was != wanted && !only_by_id).then(|| {
        let problem = problem!(Code::NODE_RENAMED, host = name, "its node is called {was}, and {says} {wanted}")
            .because("a node keeps the name that it joined with: under another one it would join as a new node, and the old one would stay behind");
        let problem = if situation.inventory.whole {
            let problem = problem.next("to keep the node");
            problem.inventory(format!("hosts: {{{name}: {{node_name: {was}}}}}"))
        } else {
            let problem = problem.next("to keep the node, on the host as root");
            problem.on_host(format!("hostnamectl set-hostname {}", quote(&was)))
        };
        problem
            .next("to rename it, reset it, then deploy again (its data is lost)").command(reset_line(situation, name))
    })
}

/// The folder that a server had its data in and has not now: its disk did not come up.
pub(super) fn missed_data(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
) -> Option<DataDir> {
    let told = situation.rules.told(facts).data_dir.ok()?;
    let missing = told.unwrap_or_else(|| situation.inventory.data_dir(host));
    let has_run = facts.node.owns_node && facts.node.server_unit.exists();
    let is_default = missing == situation.inventory.cluster.distribution.data_dir();
    let is_missed = host.is_server() && !is_default && has_run && !facts.has_data();
    is_missed.then_some(missing)
}

/// Why a host is left alone whose data is in another folder than it would look for it.
pub(super) fn other_data_dir(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
) -> Option<Problem> {
    let name = &host.name;
    if !situation.selected.contains(name) {
        return None;
    }
    let product = situation.rules.product().name;
    if let Err(why) = situation.rules.told(facts).data_dir {
        return Some(
            problem!(Code::DATA_DIR_UNUSABLE, host = name, "{why}").next(format!(
                "move it to another folder by hand, with {product} stopped, or leave this host out"
            )),
        );
    }
    let (own, wanted) = (&facts.node.data_dir, situation.inventory.data_dir(host));
    if let Some(missing) = missed_data(situation, host, facts) {
        return Some(
            problem!(
                Code::DATA_MISSING,
                host = name,
                "{product} has run here, and there is nothing of it in {missing}"
            )
            .because("without its data it would be a new machine to the cluster")
            .next("mount the disk that the folder is on")
            .next("if the data is lost, let it join anew")
            .command(reset_line(situation, name)),
        );
    }
    if *own == wanted {
        return None;
    }
    let problem = problem!(
        Code::DATA_DIR_DIFFERS,
        host = name,
        "{product} keeps its data in {own} here, not in {wanted}"
    )
    .because("in another folder it would start with nothing, as a new machine");
    let whole = situation.inventory.whole;
    let line = situation.rules.line(&Setting::DataDir(own.as_str()), whole);
    Some(if whole {
        problem
            .next("say so in the inventory")
            .inventory(format!("hosts: {{{name}: {{config: {{{line}}}}}}}"))
    } else {
        problem.flag(line)
    })
}

/// The name of a host's node: the one that it joined with, else the one that it will join with.
pub fn node_name(rules: &dyn Rules, host: &Host, facts: &Facts) -> String {
    let given = host
        .node_name
        .as_ref()
        .map(|name| name.value.to_lowercase());
    joined_as(rules, facts)
        .or(given)
        .unwrap_or_else(|| facts.hostname.to_lowercase())
}

/// The name that a host's node has joined with.
fn joined_as(rules: &dyn Rules, facts: &Facts) -> Option<String> {
    if !facts.node.joined {
        return None;
    }
    let own = facts.node.node_name.clone();
    let name = own.or_else(|| rules.told(facts).node_name);
    Some(
        name.unwrap_or_else(|| facts.hostname.clone())
            .to_lowercase(),
    )
}

/// What no host that may be changed may share with another; and what they share and only should not.
pub(super) fn shared(
    situation: &Situation<'_>,
    node_ips: &BTreeMap<String, IpAddr>,
) -> (Vec<Problem>, Vec<String>) {
    let names = pairs(
        situation
            .reached()
            .map(|(host, facts)| (situation.node_name(host, facts), host.name.as_str())),
    );
    let addresses = pairs(
        node_ips
            .iter()
            .map(|(host, address)| (address.to_string(), host.as_str())),
    );
    // Two that are only read are no reason to leave a third one alone.
    let concerns_a_selected_one = |(_, hosts): &(String, Vec<&str>)| {
        hosts.iter().any(|host| situation.selected.contains(*host))
    };
    let machines = pairs(
        situation
            .reached()
            .filter(|(_, facts)| !facts.machine_id.is_empty())
            .map(|(host, facts)| (facts.machine_id.clone(), host.name.as_str())),
    );
    let mut problems: Vec<_> = names
        .into_iter()
        .filter(concerns_a_selected_one)
        .map(|(name, hosts)| {
            let hosts = hosts.join(" and ");
            problem!(
                Code::HOSTNAME_SHARED,
                "{hosts} have the same hostname, {name}"
            )
            .because("a node's name is its host's name, and every node needs its own")
            .next("give them hostnames of their own, or set  node_name:  in the inventory")
        })
        .collect();
    let addresses = addresses.into_iter().filter(concerns_a_selected_one);
    problems.extend(addresses.map(|(address, hosts)| {
        let hosts = hosts.join(" and ");
        problem!(Code::NODE_ADDRESS_SHARED, "{hosts} have the same node address, {address}")
            .because("etcd and the kubelets talk to each other at it (every VirtualBox machine has 10.0.2.15 on its first interface)")
            .next("set  private_address:  to the address that the others reach them at, or  interface:  to the one that it is on")
    }));
    let notes = machines.into_iter().map(|(_, hosts)| {
        let hosts = hosts.join(" and ");
        // systemd-machine-id-setup leaves a file alone that has content, and copies that of D-Bus.
        format!("{hosts} have the same /etc/machine-id: they are copies of one disk. For a new one, on all but one of them, as root:  rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup")
    });
    (problems, notes.collect())
}

/// The values that more than one host has, with those hosts.
fn pairs<'a>(values: impl Iterator<Item = (String, &'a str)>) -> Vec<(String, Vec<&'a str>)> {
    let mut hosts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (value, host) in values {
        hosts.entry(value).or_default().push(host);
    }
    let mut shared: Vec<_> = hosts
        .into_iter()
        .filter(|(_, hosts)| hosts.len() > 1)
        .collect();
    shared.sort_by_key(|(_, hosts)| hosts[0].to_owned());
    shared
}
