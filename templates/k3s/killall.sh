#!/bin/sh
# Written by towline. Stops k3s and everything that its containers left running; keeps its data.
[ "$(id -u)" -eq 0 ] || exec sudo -- "$0" "$@"

for unit in k3s k3s-agent; do
    systemctl stop "$unit" 2>/dev/null
done

{% include "kubernetes/processes.sh" %}
end_processes

{% include "os/absent.sh" %}
mounts() {
    below /run/k3s
    below /run/netns cni-
    for folder in /var/lib/kubelet {{ folders.kubelet }}; do
        below "$folder/pods"
        below "$folder/plugins"
    done
}
unmount
for namespace in /run/netns/cni-*; do
    gone "$namespace"
done

{% include "kubernetes/interfaces.sh" %}
remove_interfaces
gone /var/lib/cni

# Only rules of Kubernetes and its network; everybody else's stay.
{% include "kubernetes/firewall.sh" %}
remove_rules
exit 0
