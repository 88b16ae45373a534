#!/bin/sh
# Written by towline. Removes k3s from this machine, its data included.
[ "$(id -u)" -eq 0 ] || exec sudo -- "$0" "$@"

/usr/local/bin/k3s-killall.sh
systemctl disable {{ k3s.unit }} 2>/dev/null

{% include "k3s/reset/mounts.sh" %}
unmount
failed=0
take() { gone "$1" || failed=1; }
{% if folders.data != "/var/lib/rancher/k3s" %}
for name in agent data server storage; do
    take "{{ folders.data }}/$name"
done
{% endif %}
{% if folders.kubelet != "/var/lib/kubelet" %}
for name in pods plugins plugins_registry pod-resources pods-api device-plugins checkpoints pki \
    image_manager actuated_pods_state allocated_pods_state cpu_manager_state \
    dra_health_state dra_manager_state graceful_node_shutdown_state memory_manager_state; do
    take "{{ folders.kubelet }}/$name"
done
{% endif %}
for folder in /var/lib/rancher/k3s /var/lib/kubelet /run/k3s /run/flannel; do
    take "$folder"
done
if [ "$failed" = 1 ]; then
    echo "Unmount it, then run $0 again." >&2
    exit 1
fi

rm -f /etc/systemd/system/{{ k3s.unit }}.service /etc/systemd/system/{{ k3s.unit }}.service.env
systemctl daemon-reload
systemctl reset-failed {{ k3s.unit }} 2>/dev/null
for link in kubectl crictl ctr; do
    [ "$(readlink /usr/local/bin/$link)" = k3s ] && rm -f /usr/local/bin/$link
done
gone /etc/rancher/k3s || exit 1
rm -f /usr/local/bin/k3s /usr/local/bin/k3s-killall.sh "$0"
