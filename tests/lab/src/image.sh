# What makes a fresh debootstrap tree a bare server, run inside it: $1 is the kernel's release, the rest the
# k3s-related modules which are compiled into that kernel (empty where the host's /lib/modules is bound instead).
set -eu
release=$1
shift

rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id /etc/resolv.conf /etc/hostname
: >/etc/machine-id
rm -rf /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/*

# A bare `modprobe overlay` works on a server, also where overlay is compiled in.
if [ $# -gt 0 ]; then
    mkdir -p "/lib/modules/$release"
    for module; do echo "kernel/$module.ko"; done >"/lib/modules/$release/modules.builtin"
    : >"/lib/modules/$release/modules.order"
    depmod "$release"
fi

# Debian 12's sha256sum does without the processor's instructions for it, which those of later systems use. Looking for
# the right binary on a host is hashing it, so this was a quarter of what all machines of a test did.
mv /usr/bin/sha256sum /usr/bin/sha256sum.plain
cat >/usr/bin/sha256sum <<'END'
#!/bin/sh
if [ $# = 0 ] && [ "$(/usr/bin/stat -Lc %s -)" -gt 1000000 ]; then
    hash=$(/usr/bin/openssl dgst -sha256 -r) && echo "${hash%% *}  -"
else
    exec /usr/bin/sha256sum.plain "$@"
fi
END
chmod 0755 /usr/bin/sha256sum

# Three ways to be an administrator: root, sudo without and sudo with a password.
usermod --password '*' root
useradd --create-home --shell /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
chmod 0440 /etc/sudoers.d/admin
useradd --create-home --shell /bin/bash --groups sudo asker
echo 'asker:ask-me' | chpasswd --crypt-method SHA512

cat >/etc/ssh/sshd_config.d/lab.conf <<'END'
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
# Tests open many connections at once.
MaxStartups 100:30:200
END

# Five programs at every login, for a text that only a terminal shows.
sed -i '/pam_motd/d' /etc/pam.d/sshd

mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nSystemMaxUse=64M\nRateLimitIntervalSec=0\n' >/etc/systemd/journald.conf.d/lab.conf

# Without udev nobody waits for a link to be announced, so the network is a few commands.
cat >/etc/systemd/system/lab-network.service <<'END'
[Unit]
Description=The address that the lab gave to this machine
DefaultDependencies=no
Before=network-pre.target network.target
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
EnvironmentFile=/etc/lab-network
ExecStart=/bin/sh -ec 'ip address replace $ADDRESS dev host0; ip address replace $ADDRESS6 dev host0 nodad; ip link set host0 up; ip route replace default via $GATEWAY; ip route replace default via $GATEWAY6'
[Install]
WantedBy=sysinit.target
END

# systemd-nspawn mounts the cgroup v1 hierarchies read only; the kubelet makes groups of its own.
cat >/etc/systemd/system/lab-cgroup.service <<'END'
[Unit]
Description=Writable cgroup hierarchies
DefaultDependencies=no
Before=sysinit.target
ConditionPathIsDirectory=/sys/fs/cgroup/pids
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'mount -o remount,bind,rw /sys/fs/cgroup; for group in /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$group"; done'
[Install]
WantedBy=sysinit.target
END
systemctl enable lab-network.service lab-cgroup.service

# Nothing that a server in a rack would miss, and what only costs time at every boot.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer getty.target console-getty.service systemd-pstore.service
