# What towline reads from a host in its first exchange. It changes nothing.
# Every line of the answer is key=value; what may hold newlines travels as base64. $data is the
# folder that k3s's data is looked for in.
file() { [ -f "$2" ] && say "$1" "$(head -c 262144 "$2" | pack)"; }

say uid "$(id -u)"
say hostname "$(cat /proc/sys/kernel/hostname)"
say machine_id "$(cat /etc/machine-id 2>/dev/null)"
say boot_id "$(cat /proc/sys/kernel/random/boot_id)"
say uptime "$(cut -d ' ' -f 1 /proc/uptime)"
say clock "$(date +%s)"
say architecture "$(uname -m)"
say kernel "$(uname -r)"
say memory_kib "$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
if [ -r /etc/os-release ]; then
    (
        . /etc/os-release
        say os_id "$ID"
        say os_like "$ID_LIKE"
        say os_version "$VERSION_ID"
        say os_name "$PRETTY_NAME"
    )
fi
[ -d /run/systemd/system ] && say init systemd
[ -f /sys/fs/cgroup/cgroup.controllers ] && say cgroup 2 || say cgroup 1
# What k3s and its kubelet need of them. In version 1 the fourth column says whether one is enabled.
for controller in cpu cpuset memory; do
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers
    else
        grep -Eq "^$controller([[:space:]]+[0-9]+){2}[[:space:]]+1$" /proc/cgroups
    fi || say missing_controller "$controller"
done
# Where a Raspberry Pi has the kernel's command line; the newer place first, since the older one is
# kept with a text that sends people there.
for file in /boot/firmware/cmdline.txt /boot/cmdline.txt; do
    [ -f "$file" ] && say cmdline "$file" && break
done
[ -d /proc/sys/net/ipv6 ] && say ipv6 yes
for tool in flock timeout base64 sha256sum ip systemctl; do
    command -v "$tool" >/dev/null 2>&1 || say missing "$tool"
done
if command -v ufw >/dev/null 2>&1; then
    LC_ALL=C ufw status 2>/dev/null | grep -qx 'Status: active' && say ufw active
fi
# shellcheck disable=SC2086
systemctl list-units --plain --no-legend --no-pager --state=active,activating $kubernetes 2>/dev/null |
    while read -r unit _; do say kubernetes "$unit"; done
# Addresses that IPv6 makes up for a while are nothing to be known by.
ip -o addr show scope global 2>/dev/null | grep -Ev ' (temporary|deprecated|tentative) ' | while read -r _ interface _ address _; do
    say address "$interface $address"
done
say default_interface "$({ ip route show default; ip -6 route show default; } 2>/dev/null | sed -n '1s/.* dev \([^ ]*\).*/\1/p')"

near=$data
while [ ! -d "$near" ]; do near=$(dirname "$near"); done
[ -w "$near" ] || say data_read_only yes
df -Pk "$near" 2>/dev/null | tail -n 1 | { read -r _ _ _ free _ && say data_free_kib "$free"; }
# Some file systems have no such number, and say 0 of 0.
df -Pi "$near" 2>/dev/null | tail -n 1 | { read -r _ all _ free _ && [ "$all" -gt 0 ] 2>/dev/null && say data_free_inodes "$free"; }

k3s=/usr/local/bin/k3s
configuration=/etc/rancher/k3s/config.yaml
file k3s_config "$configuration"
for drop_in in "$configuration".d/*.yaml "$configuration".d/*.yml; do
    [ -f "$drop_in" ] && say drop_in "$(head -c 65536 "$drop_in" | pack) ${drop_in##*/}"
done
[ -s /etc/rancher/node/password ] && say node_password present
if [ -d "$data/server/db/etcd/member" ]; then
    say datastore etcd
elif [ -f "$data/server/db/state.db" ]; then
    say datastore sqlite
fi
[ -f "$data/agent/kubelet.kubeconfig" ] && say joined yes
[ -f "$data/server/tls/server-ca.crt" ] &&
    say ca_hash "$(sha256sum <"$data/server/tls/server-ca.crt" | cut -d ' ' -f 1)"
# Its subject is the name of the node.
[ -f "$data/agent/client-kubelet.crt" ] &&
    say node_certificate "$(sed '/-END CERTIFICATE-/q' "$data/agent/client-kubelet.crt" | head -c 16384 | pack)"
[ -f "$data/agent/server-ca.crt" ] &&
    say agent_ca_hash "$(sha256sum <"$data/agent/server-ca.crt" | cut -d ' ' -f 1)"
file server_token "$data/server/token"
[ -h "$data/server/agent-token" ] || file agent_token "$data/server/agent-token"
[ -s "$k3s" ] && say k3s_version "$(timeout 10 "$k3s" --version 2>/dev/null | head -n 1)"
for unit in k3s k3s-agent; do
    say unit "$unit $(systemctl show -p LoadState -p ActiveState -p SubState -p FragmentPath -p NRestarts -p ActiveEnterTimestampMonotonic "$unit" 2>/dev/null | tr '\n' ' ')"
    own=/etc/systemd/system/$unit.service
    # What a unit says that something else wrote: its flags and its variables are settings, too.
    if [ -f "$own" ] && ! grep -q '^# Written by towline' "$own"; then
        say foreign "$unit $(head -c 65536 "$own" | pack)"
        for variables in "/etc/default/$unit" "/etc/sysconfig/$unit" "$own.env"; do
            [ -f "$variables" ] && say foreign_environment "$unit $(head -c 65536 "$variables" | pack)"
        done
    fi
done
if [ "$(systemctl is-active k3s 2>/dev/null)" = active ]; then
    file kubeconfig /etc/rancher/k3s/k3s.yaml
    cluster
fi
say complete yes
