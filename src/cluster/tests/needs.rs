//! What k3s needs of a machine.

use super::*;
use crate::facts::OtherKubernetes;

#[test]
fn cgroup_v1_is_told_with_its_remedy_before_a_kubelet_refuses_it() {
    let old = |facts: &mut Facts| facts.cgroup = 1;
    insta::assert_snapshot!(Lab::new(ONE).with("w1", old).topology().unfit["w1"], @r"
    w1: its kernel runs cgroup v1, and the kubelet of v1.36.3+k3s1 refuses that
      → boot it with systemd.unified_cgroup_hierarchy=1, or set for servers (config) and agents (agent_config):
        kubelet-arg: [fail-cgroupv1=false]
    ");
    let told = format!("cluster: {{agent_config: {{kubelet-arg: [fail-cgroupv1=false]}}}}{ONE}");
    assert!(Lab::new(&told).with("w1", old).topology().unfit.is_empty());
    let settled = Lab::new(ONE)
        .with("m1", member)
        .with("w1", agent("https://10.0.0.1:6443"))
        .with("w1", old);
    assert!(settled.topology().unfit.is_empty());
    // Its older kubelet did not have to be told.
    let upgraded = settled.with("w1", |facts| {
        facts.node.version = Some("v1.34.2+k3s1".into());
    });
    assert!(upgraded.topology().unfit.contains_key("w1"));
}

#[test]
fn a_machine_on_which_another_kubernetes_runs_is_left_alone() {
    let other = |facts: &mut Facts| {
        facts.kubernetes = OtherKubernetes::of("kubelet.service");
        assert!(facts.kubernetes.is_some());
    };
    insta::assert_snapshot!(Lab::new(ONE).with("w1", other).topology().unfit["w1"], @r"
    w1: a Kubernetes of kubeadm or kubespray runs on it
      kubelet.service is active; it and k3s need the same ports, and name what is theirs alike
      → if it is in use, take the host out of the inventory
      → if it may go, with all that it holds, on the host as root:
        kubeadm reset
    ");
    let beside = Lab::new(ONE)
        .with("m1", member)
        .with("w1", agent("https://10.0.0.1:6443"))
        .with("w1", other);
    assert!(beside.topology().unfit.is_empty());
    assert_eq!(OtherKubernetes::of("ssh.service"), None);
}

#[test]
fn a_machine_without_a_cgroup_controller_is_told_the_line_that_switches_it_on() {
    let lacks = |names: &'static [&'static str]| {
        move |facts: &mut Facts| {
            facts.missing_controllers = names.iter().map(|name| (*name).to_owned()).collect();
        }
    };
    let pi = Lab::new(ONE)
        .with("w1", lacks(&["memory"]))
        .with("w1", |facts| {
            facts.cmdline = Some("/boot/firmware/cmdline.txt".into());
        });
    insta::assert_snapshot!(pi.topology().unfit["w1"], @r"
    w1: its kernel does not offer these cgroup controllers: memory
      k3s and its kubelet do not start without them
      → on the host, this adds them to the kernel's command line (one line, as a Raspberry Pi wants it):
        sed -i '1s/$/ cgroup_memory=1 cgroup_enable=memory/' /boot/firmware/cmdline.txt && reboot
    ");
    let other = Lab::new(ONE).with("w1", lacks(&["cpuset", "memory"]));
    insta::assert_snapshot!(other.topology().unfit["w1"], @r"
    w1: its kernel does not offer these cgroup controllers: cpuset, memory
      k3s and its kubelet do not start without them
      → add  cgroup_memory=1 cgroup_enable=cpuset cgroup_enable=memory  to the kernel's command line (on most machines in GRUB_CMDLINE_LINUX of /etc/default/grub, then update-grub), and restart the machine
    ");
    let runs = running().with("m2", lacks(&["cpuset"]));
    assert!(runs.topology().unfit.is_empty());
}

#[test]
fn a_folder_without_room_for_the_data_is_named_before_any_change() {
    let disk = |free_mib: u64| move |facts: &mut Facts| facts.disk.free_kib = Some(free_mib * 1024);
    let lab = Lab::new(ONE).with("m1", disk(400)).with("w1", disk(20));
    insta::assert_snapshot!(lab.topology().unfit["m1"], @r"
    m1: k3s's data belongs in /var/lib/rancher/k3s, where 400 MB are free, and v1.36.3+k3s1 needs 450 MB
      → make room there, or give k3s another disk:  config: {data-dir: /FOLDER}  for the host in the inventory
    ");
    insta::assert_snapshot!(lab.topology().unfit["w1"], @r"
    w1: k3s's data belongs in /var/lib/rancher/k3s, where 20 MB are free, and v1.36.3+k3s1 needs 300 MB
      → make room there, or give k3s another disk:  config: {data-dir: /FOLDER}  for the host in the inventory
    ");
    let inodes = |facts: &mut Facts| facts.disk.free_inodes = Some(12);
    insta::assert_snapshot!(Lab::new(ONE).with("w1", inodes).topology().unfit["w1"], @r"
    w1: k3s's data belongs in /var/lib/rancher/k3s, where only 12 more files can be made
      the file system's inodes are used up
      → make room there, or give k3s another disk:  config: {data-dir: /FOLDER}  for the host in the inventory
    ");
    let read_only = |facts: &mut Facts| facts.disk.read_only = true;
    insta::assert_snapshot!(Lab::new(ONE).with("w1", read_only).topology().unfit["w1"], @r"
    w1: k3s's data belongs in /var/lib/rancher/k3s, and nothing can be written there
      its file system is mounted read-only
      → on the host, these show how, and often why:
        findmnt -T /var/lib/rancher/k3s
        dmesg | tail
    ");

    // One whose first join failed has unpacked it.
    let unpacked = Lab::new(ONE)
        .with("w1", disk(60))
        .with("w1", |facts| facts.node.version = Some(VERSION.into()));
    assert!(unpacked.topology().unfit.is_empty());

    // What runs this version already unpacks nothing; another version does.
    let full = running()
        .with("m2", disk(20))
        .with("m2", |facts| facts.node.version = Some(VERSION.into()));
    assert!(full.topology().unfit.is_empty());
    let upgraded = full.with("m2", |facts| {
        facts.node.version = Some("v1.36.2+k3s1".into());
    });
    assert!(upgraded.topology().unfit.contains_key("m2"));
}
