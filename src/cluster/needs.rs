//! What k3s needs of a machine: cgroup controllers, room for its data, and no other Kubernetes.

use serde_json::{Map, Value};

use super::Situation;
use super::config::Config;
use super::force::{effective_config, told};
use crate::facts::Facts;
use crate::inventory::{Host, Role};
use crate::problem::{Code, Problem};

/// What a release unpacks into its data folder when it is first run, also when it is only asked for
/// its version: 220 MiB for k3s 1.36.
const UNPACKED_MIB: u64 = 250;
/// What an agent's data needs besides on its first day: 36 MiB.
const AGENT_MIB: u64 = 50;
/// The same for a server, with etcd's log: 166 MiB.
const SERVER_MIB: u64 = 200;
/// Fewer than any release unpacks.
const INODES: u64 = 1000;

/// Why k3s could not start for want of a cgroup controller: the memory controller is off on a new
/// Raspberry Pi. One that runs has what it needs.
pub(super) fn lacking_controllers(host: &Host, facts: &Facts) -> Option<Problem> {
    let missing = &facts.missing_controllers;
    let runs = facts.node.server_unit.is_ready() || facts.node.agent_unit.is_ready();
    if missing.is_empty() || runs {
        return None;
    }
    let mut words: Vec<_> = missing
        .iter()
        .map(|name| format!("cgroup_enable={name}"))
        .collect();
    if missing.iter().any(|name| name == "memory") {
        words.insert(0, "cgroup_memory=1".to_owned());
    }
    let (missing, words) = (missing.join(", "), words.join(" "));
    let problem = Problem::new(
        Code::CGROUP_MISSING,
        format!(
            "{}: its kernel does not offer these cgroup controllers: {missing}",
            host.name
        ),
    )
    .because("k3s and its kubelet do not start without them");
    Some(match &facts.cmdline {
        Some(file) => problem.next(format!(
            "on the host, this adds them to the kernel's command line (one line, as a Raspberry Pi wants it):\nsed -i '1s/$/ {words}/' {file} && reboot"
        )),
        None => problem.next(format!(
            "add  {words}  to the kernel's command line (on most machines in GRUB_CMDLINE_LINUX of /etc/default/grub, then update-grub), and restart the machine"
        )),
    })
}

/// Another Kubernetes needs the ports that k3s needs, and names its processes, mounts and rules of the firewall
/// alike, so that a reset would take them for those of k3s.
pub(super) fn other_kubernetes(host: &Host, facts: &Facts) -> Option<Problem> {
    let other = facts.kubernetes?;
    Some(
        Problem::new(
            Code::OTHER_KUBERNETES,
            format!("{}: {} runs on it", host.name, other.name),
        )
        .because(format!(
            "{} is active; it and k3s need the same ports, and name what is theirs alike",
            other.unit
        ))
        .next("if it is in use, take the host out of the inventory")
        .next(format!(
            "if it may go, with all that it holds, on the host as root:\n{}",
            other.removal
        )),
    )
}

/// Why k3s could not unpack itself, or keep its data.
pub(super) fn no_room(host: &Host, facts: &Facts, version: &str) -> Option<Problem> {
    let (name, disk, folder) = (&host.name, &facts.disk, &facts.node.data_dir);
    if disk.read_only {
        return Some(
            Problem::new(
                Code::DISK_READ_ONLY,
                format!("{name}: k3s's data belongs in {folder}, and nothing can be written there"),
            )
            .because("its file system is mounted read-only")
            .next(format!(
                "on the host, these show how, and often why:\nfindmnt -T {folder}\ndmesg | tail"
            )),
        );
    }
    let is_unpacked = facts.node.version.as_deref() == Some(version);
    let unpacking = if is_unpacked { 0 } else { UNPACKED_MIB };
    let data = match host.role.value {
        _ if facts.has_data() => 0,
        Role::Server => SERVER_MIB,
        Role::Agent => AGENT_MIB,
    };
    let needed = unpacking + data;
    if needed == 0 {
        return None;
    }
    let next = "make room there, or give k3s another disk:  config: {data-dir: /FOLDER}  for the host in the inventory";
    if let Some(free) = disk
        .free_kib
        .map(|free| free / 1024)
        .filter(|free| *free < needed)
    {
        return Some(
            Problem::new(Code::DISK_FULL, format!(
                "{name}: k3s's data belongs in {folder}, where {free} MB are free, and {version} needs {needed} MB"
            ))
            .next(next),
        );
    }
    let free = disk.free_inodes.filter(|free| *free < INODES)?;
    Some(
        Problem::new(
            Code::DISK_FULL,
            format!(
                "{name}: k3s's data belongs in {folder}, where only {free} more files can be made"
            ),
        )
        .because("the file system's inodes are used up")
        .next(next),
    )
}

/// The kubelet of Kubernetes 1.35 and later refuses to start on cgroup v1 unless told to; `config` is
/// what the host's config.yaml would say.
pub(super) fn cgroup_v1(
    host: &Host,
    facts: &Facts,
    config: &Config,
    version: &str,
) -> Option<Problem> {
    let refuses = Situation::kubelet_refuses_cgroup_v1;
    if facts.cgroup != 1 || !refuses(version) {
        return None;
    }
    let allows = |told: Result<Map<String, Value>, String>| {
        let told = told.unwrap_or_default();
        told.get("kubelet-arg")
            .is_some_and(|arguments| arguments.to_string().contains("fail-cgroupv1=false"))
    };
    // One that has joined was told, wherever; but an older one did not have to be.
    let has_to = facts.node.joined && facts.node.version.as_deref().is_none_or(refuses);
    let was_told_elsewhere = has_to && !allows(effective_config(facts));
    if was_told_elsewhere || allows(told(facts, config)) {
        return None;
    }
    Some(
        Problem::new(Code::CGROUP_V1, format!("{}: its kernel runs cgroup v1, and the kubelet of {version} refuses that", host.name))
            .next("boot it with systemd.unified_cgroup_hierarchy=1, or set for servers (config) and agents (agent_config):\nkubelet-arg: [fail-cgroupv1=false]"),
    )
}
