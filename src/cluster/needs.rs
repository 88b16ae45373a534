//! What a node needs of its machine: cgroup controllers, room for its data, and no other Kubernetes.

use super::Setting;
use super::Situation;
use crate::facts::Facts;
use crate::inventory::{Host, Role};
use crate::problem::{Code, Problem, problem};

/// Fewer than any release unpacks.
const INODES: u64 = 1000;

/// Why a node could not start for want of a cgroup controller: the memory controller is off on a new
/// Raspberry Pi. One that runs has what it needs.
pub(super) fn lacking_controllers(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
) -> Option<Problem> {
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
    let problem = problem!(
        Code::CGROUP_MISSING,
        host = &host.name,
        "its kernel does not offer these cgroup controllers: {missing}"
    )
    .because(format!(
        "{} and its kubelet do not start without them",
        situation.rules.product().name
    ));
    Some(match &facts.cmdline {
        Some(file) => problem.next("on the host, this adds them to the kernel's command line (one line, as a Raspberry Pi wants it)").on_host(format!("sed -i '1s/$/ {words}/' {file} && reboot")),
        None => problem.next(format!(
            "add  {words}  to the kernel's command line (on most machines in GRUB_CMDLINE_LINUX of /etc/default/grub, then update-grub), and restart the machine"
        )),
    })
}

/// Another Kubernetes needs the same ports, and names its processes, mounts and rules of the firewall
/// alike, so that a reset would take them for those of this one.
pub(super) fn other_kubernetes(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
) -> Option<Problem> {
    let other = facts.kubernetes?;
    Some(
        problem!(
            Code::OTHER_KUBERNETES,
            host = &host.name,
            "{} runs on it",
            other.name
        )
        .because(format!(
            "{} is active; it and {} need the same ports, and name what is theirs alike",
            other.unit,
            situation.rules.product().name
        ))
        .next("if it is in use, take the host out of the inventory")
        .next("if it may go, with all that it holds, on the host as root")
        .on_host(other.removal),
    )
}

/// Why a release could not unpack itself, or keep its data.
pub(super) fn no_room(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
    version: &str,
) -> Option<Problem> {
    let product = situation.rules.product();
    let owner = product.name;
    let (name, disk, folder) = (&host.name, &facts.disk, &facts.node.data_dir);
    if disk.read_only {
        return Some(
            problem!(
                Code::DISK_READ_ONLY,
                host = name,
                "{owner}'s data belongs in {folder}, and nothing can be written there"
            )
            .because("its file system is mounted read-only")
            .next("on the host, these show how, and often why")
            .on_host(format!("findmnt -T {folder}\ndmesg | tail")),
        );
    }
    let is_unpacked = facts.node.version.as_deref() == Some(version);
    let unpacking = if is_unpacked { 0 } else { product.unpacked_mib };
    let data = match host.role.value {
        _ if facts.has_data() => 0,
        Role::Server => product.server_mib,
        Role::Agent => product.agent_mib,
    };
    let needed = unpacking + data;
    if needed == 0 {
        return None;
    }
    let next = || {
        let line = situation.rules.line(&Setting::DataDir("/FOLDER"), true);
        format!(
            "make room there, or give {owner} another disk:  config: {{{line}}}  for the host in the inventory"
        )
    };
    if let Some(free) = disk
        .free_kib
        .map(|free| free / 1024)
        .filter(|free| *free < needed)
    {
        return Some(
            problem!(Code::DISK_FULL, host = name, "{owner}'s data belongs in {folder}, where {free} MB are free, and {version} needs {needed} MB")
            .next(next()),
        );
    }
    let free = disk.free_inodes.filter(|free| *free < INODES)?;
    Some(
        problem!(
            Code::DISK_FULL,
            host = name,
            "{owner}'s data belongs in {folder}, where only {free} more files can be made"
        )
        .because("the file system's inodes are used up")
        .next(next()),
    )
}
