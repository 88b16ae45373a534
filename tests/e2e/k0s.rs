//! k0s on machines, which live as long as their story and no longer: each goes on where the last part of it ended.
//!
//! ```text
//!  k0s/first.rs   behind NAT from nothing, a new disk for the first controller, changed under load, reset
//!  k0s/manifests.rs   a part of it: manifests of the inventory
//!  k0s/registries.rs  a part of it: registries of the inventory
//!  k0s/database.rs    two controllers whose cluster is in PostgreSQL
//!  k0s/faults.rs  what is refused or fails: ports, tokens, settings, a join that was cut off
//!  k0s/power.rs   power cords, quorum, new disks
//!  k0s/single.rs  one host alone, downloaded, elsewhere than usual
//! ```

use towline_lab::{Distribution, Machine, Options};

use crate::inventory::Inventory;
use crate::place::Place;
use crate::towline::Answer;

mod database;
mod faults;
mod first;
mod manifests;
mod power;
mod registries;
mod single;

/// How what a host joins with begins, packed.
const TOKEN: &str = "H4sIAAAA";

/// Nothing of k0s is on the machine.
const GONE: &str = "! ls -d /etc/k0s /usr/local/bin/k0s /run/k0s /etc/systemd/system/k0s* 2>/dev/null | grep . && [ -z \"$(ls -A /var/lib/k0s 2>/dev/null)\" ]";

/// Machines for that many controllers and workers.
fn machines(servers: u8, agents: u8) -> Place {
    Place::with(&Options {
        servers,
        agents,
        distribution: Distribution::K0s,
        ..Options::default()
    })
}

/// The nodes as a controller lists them, each with whether it is Ready: `m1 True m4 True`.
fn nodes(machine: &Machine) -> String {
    let asked = "k0s kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type==\"Ready\")].status} {end}'";
    machine.succeed(asked).trim().to_owned()
}

/// The addresses of etcd's members as a controller lists them.
fn members(machine: &Machine) -> Vec<String> {
    let asked =
        "k0s etcd member-list | grep -o '//[0-9.]*:2380' | tr -d / | sed 's/:2380//' | sort";
    let listed = machine.succeed(asked);
    listed.lines().map(str::to_owned).collect()
}

/// What tells a cluster from any other.
fn cluster_id(machine: &Machine) -> String {
    machine.succeed("k0s kubectl get namespace kube-system -o 'jsonpath={.metadata.uid}'")
}

/// Everything that changes when a unit's process is started again.
fn lives(machine: &Machine) -> String {
    machine.succeed("systemctl show -p InvocationID -p NRestarts k0scontroller k0sworker")
}

/// More in the `config` that the lab's inventory has: flags, and keys of `spec`.
fn with(place: &Place, inventory: Inventory, flags: &str, spec: &str) -> Inventory {
    let lines = place.lab.inventory();
    let line = lines
        .lines()
        .find_map(|line| line.strip_prefix("  config: {"));
    let own = line
        .unwrap()
        .replacen("spec: {", &format!("spec: {{{spec}"), 1);
    inventory.cluster("config", &format!("{{{flags}{own}"))
}

/// Gives a machine a new disk and lets it boot as one that is known.
fn renew(place: &Place, name: &str) {
    place.machine(name).wipe().unwrap();
    place.machine(name).boot().unwrap();
    place.lab.trust(name).unwrap();
}

/// What was said about a host that failed while the others did not.
#[track_caller]
fn problem_of(answer: &Answer, name: &str) -> String {
    let row = answer.row(name);
    assert_eq!(row.outcome, "failed", "{name}: {}", row.problem);
    row.problem
}
