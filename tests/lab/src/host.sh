# What a lab changes on the host and how that is undone, as `sh -c` text. One place, in shell, because it has
# three callers and one of them has no Rust left: `Lab::down`, the sweep, and the guard that outlives a killed test.
# Everything is found by the lab's id; no state file is needed to remove a lab.
#
#   hold ID RUN     note the lab as a user of the host-wide settings; the first one saves and raises them
#   cut GROUP LINK  the power cord of one machine: SIGKILL to all of it, until nothing is left
#   remove ID RUN   the machines, the bridge, the NAT, the claim on the settings, the run folder
#   audit KEY       the kernel tells its listeners of every program that is run, until standard input ends
#   guard ID RUN    wait until the lab's owner is gone, then remove, unless it is kept
set -u

host=/run/towline-lab # of the whole host, whatever the run folders are
groups=/sys/fs/cgroup

# What k3s, the kubelet and the images' own sysctl.d write and what is not private to a machine's namespaces.
settings='fs/file-max fs/inotify/max_queued_events fs/inotify/max_user_instances fs/inotify/max_user_watches fs/nr_open
    fs/protected_fifos fs/protected_hardlinks fs/protected_regular fs/protected_symlinks
    kernel/core_pattern kernel/keys/root_maxbytes kernel/keys/root_maxkeys kernel/panic kernel/panic_on_oops
    kernel/pid_max kernel/printk kernel/sysrq kernel/threads-max
    net/bridge/bridge-nf-call-ip6tables net/bridge/bridge-nf-call-iptables net/netfilter/nf_conntrack_max
    vm/max_map_count vm/overcommit_memory vm/panic_on_oom vm/swappiness'

at_least() { [ "$(cat "/proc/sys/$1")" -ge "$2" ] || echo "$2" >"/proc/sys/$1"; }

# Run with the host's lock held: `locked FUNCTION ARGUMENTS`.
locked() {
    mkdir -p "$host/users" "$host/saved"
    (flock 8 && "$@") 8>"$host/lock"
}

take_settings() { # ID RUN
    for setting in $settings; do
        saved=$host/saved/$(echo "$setting" | tr / ,)
        [ -s "$saved" ] || [ ! -r "/proc/sys/$setting" ] || cat "/proc/sys/$setting" >"$saved"
    done
    echo "$2" >"$host/users/$1"
    # Every machine is a systemd and a kubelet; the default of 128 instances is enough for two.
    at_least fs/inotify/max_user_instances 8192
    at_least fs/inotify/max_user_watches 524288
    # What passes between two machines is none of the host's firewall's business.
    for setting in net/bridge/bridge-nf-call-iptables net/bridge/bridge-nf-call-ip6tables; do
        [ ! -e "/proc/sys/$setting" ] || echo 0 >"/proc/sys/$setting"
    done
}

give_settings_back() { # ID
    rm -f "$host/users/$1"
    for user in "$host"/users/*; do
        [ -e "$user" ] || continue
        [ ! -d "$(cat "$user")" ] || return 0
    done
    for saved in "$host"/saved/*; do
        [ -e "$saved" ] || continue
        setting=/proc/sys/$(basename "$saved" | tr , /)
        [ "$(cat "$setting")" = "$(cat "$saved")" ] || [ ! -s "$saved" ] || cat "$saved" >"$setting"
        rm -f "$saved"
    done
}

# The directories of a group: one per controller with cgroup v1, one with v2.
trees() {
    for tree in "$groups/$1" "$groups"/*/"$1"; do
        [ ! -d "$tree" ] || echo "$tree"
    done
}

processes() {
    for tree in $(trees "$1"); do
        find "$tree" -name cgroup.procs -exec cat {} + 2>/dev/null
    done | grep -v '^0$' | sort -un
}

power_off() { # GROUP LINK
    tries=0
    while :; do
        for tree in $(trees "$1"); do
            # A frozen process cannot die; cgroup.kill is the only way that a fork cannot outrun.
            [ ! -e "$tree/freezer.state" ] || echo THAWED >"$tree/freezer.state"
            [ ! -e "$tree/cgroup.freeze" ] || echo 0 >"$tree/cgroup.freeze"
            [ ! -e "$tree/cgroup.kill" ] || echo 1 >"$tree/cgroup.kill"
        done
        left=$(processes "$1")
        [ -n "$left" ] || break
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ]; then
            echo "processes of $1 survive SIGKILL for 30 s: $(echo "$left" | tr '\n' ' ')" >&2
            return 1
        fi
        # shellcheck disable=SC2086 # one argument per process
        kill -KILL $left 2>/dev/null
        sleep 0.05
    done
    # The kernel takes the network apart some time after the last process; nobody waits for that.
    ip link delete "$2" 2>/dev/null
    tries=0
    while [ -n "$(trees "$1")" ]; do
        for tree in $(trees "$1"); do
            find "$tree" -depth -type d -exec rmdir {} + 2>/dev/null
        done
        tries=$((tries + 1))
        [ "$tries" -le 100 ] || { echo "cgroups of $1 cannot be removed: $(trees "$1" | tr '\n' ' ')" >&2; return 1; }
        [ -z "$(trees "$1")" ] || sleep 0.05
    done
}

remove() { # ID RUN
    failed=0
    names=$(for tree in "$groups"/towline-"$1"-* "$groups"/*/towline-"$1"-*; do
        [ ! -d "$tree" ] || basename "$tree"
    done | sort -u)
    for name in $names; do
        power_off "$name" "vb-$1-${name##*-}" || failed=1
    done
    [ ! -e "/sys/class/net/tl$1" ] || ip link delete "tl$1" || failed=1
    # Most labs have none (nat.rs).
    ! nft list table ip "towline_$1" >/dev/null 2>&1 || nft delete table ip "towline_$1" || failed=1
    [ "$failed" = 0 ] || return 1
    locked give_settings_back "$1" || return 1
    # Last: while the folder is there, whoever sweeps tries again.
    rm -rf --one-file-system "$2"
}

audit_status() { auditctl -s | sed -n "s/^$1 //p"; }

# Run with the audit's own lock held: its switch is the whole host's.
audit() { # KEY
    enabled=$(audit_status enabled) limit=$(audit_status backlog_limit) lost=$(audit_status lost)
    rule="always,exit -F arch=b64 -S execve -S execveat -F key=$1"
    # shellcheck disable=SC2086 # several words
    auditctl -b 65536 >/dev/null && auditctl -e 1 >/dev/null && auditctl -a $rule && echo ready && cat >/dev/null
    # shellcheck disable=SC2086
    auditctl -d $rule
    auditctl -b "$limit" >/dev/null
    auditctl -e "$enabled" >/dev/null
    echo "lost $(($(audit_status lost) - lost))"
}

case $1 in
hold) locked take_settings "$2" "$3" ;;
cut) power_off "$2" "$3" ;;
remove) remove "$2" "$3" ;;
audit)
    trap '' HUP INT TERM
    mkdir -p "$host"
    (flock 8 && audit "$2") 8>"$host/audit"
    ;;
guard)
    exec 9<"$3/lock" || exit 0
    flock 9
    [ ! -d "$3" ] || [ -e "$3/kept" ] || remove "$2" "$3"
    ;;
esac
