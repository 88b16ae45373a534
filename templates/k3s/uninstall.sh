#!/bin/sh
# Written by towline. Removes k3s from this machine, its data included.
[ "$(id -u)" -eq 0 ] || exec sudo -- "$0" "$@"

/usr/local/bin/k3s-killall.sh
systemctl disable {{ k3s.unit }} 2>/dev/null
rm -f /etc/systemd/system/{{ k3s.unit }}.service /etc/systemd/system/{{ k3s.unit }}.service.env
systemctl daemon-reload
systemctl reset-failed {{ k3s.unit }} 2>/dev/null

for link in kubectl crictl ctr; do
    [ "$(readlink /usr/local/bin/$link)" = k3s ] && rm -f /usr/local/bin/$link
done

# What is mounted on its own is emptied, not removed.
for directory in /var/lib/rancher/k3s /var/lib/kubelet{% if k3s.data_dir != "/var/lib/rancher/k3s" %}
 \
    {{ k3s.data_dir }}/agent {{ k3s.data_dir }}/data {{ k3s.data_dir }}/server {{ k3s.data_dir }}/storage{% endif %}; do
    if grep -q " $directory " /proc/self/mounts; then
        find "$directory" -mindepth 1 -delete
    else
        rm -rf "$directory"
    fi
done
rm -rf /etc/rancher/k3s /run/k3s /run/flannel
rm -f /usr/local/bin/k3s /usr/local/bin/k3s-killall.sh "$0"
