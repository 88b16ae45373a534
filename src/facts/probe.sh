# What towline reads of a machine in its first exchange. It changes nothing. $data is the folder that
# the distribution's data is looked for in.

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
# Those that are needed. In version 1 the fourth column says whether one is enabled.
for controller in $controllers; do
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
for tool in $tools; do
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
# Where the kernel takes default routes of IPv6 from routers, as it does by itself.
ip -6 route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\) proto ra.*/\1/p' | sort -u | while read -r interface; do
    [ "$(cat "/proc/sys/net/ipv6/conf/$interface/accept_ra" 2>/dev/null || echo 0)" = 0 ] || say advertised "$interface"
done

near=$data
while [ ! -d "$near" ]; do near=$(dirname "$near"); done
[ -w "$near" ] || say data_read_only yes
df -Pk "$near" 2>/dev/null | tail -n 1 | { read -r _ _ _ free _ && say data_free_kib "$free"; }
# Some file systems have no such number, and say 0 of 0.
df -Pi "$near" 2>/dev/null | tail -n 1 | { read -r _ all _ free _ && [ "$all" -gt 0 ] 2>/dev/null && say data_free_inodes "$free"; }
