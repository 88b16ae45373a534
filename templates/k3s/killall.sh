#!/bin/sh
# Written by towline. Stops k3s and everything that its containers left running; keeps its data.
[ "$(id -u)" -eq 0 ] || exec sudo -- "$0" "$@"

for unit in k3s k3s-agent; do
    systemctl stop "$unit" 2>/dev/null
done

# A container's shim outlives k3s; its children are the container.
descendants() {
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        echo "$child"
        descendants "$child"
    done
}
for process in /proc/[0-9]*; do
    case "$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null)" in
        {{ k3s.data_dir }}/data/*/bin/containerd-shim*)
            shim=${process#/proc/}
            kill -9 $(descendants "$shim") "$shim" 2>/dev/null
            ;;
    esac
done

# Deepest mounts first.
cut -d ' ' -f 2 /proc/self/mounts | sort -r | while read -r mount; do
    case "$mount" in
        /run/k3s/* | /var/lib/kubelet/pods/* | /var/lib/kubelet/plugins/* | /run/netns/cni-*)
            umount "$mount" 2>/dev/null
            ;;
    esac
done
for namespace in /run/netns/cni-*; do
    [ -e "$namespace" ] && ip netns delete "${namespace##*/}"
done
rm -rf /run/netns/cni-*

for interface in cni0 flannel.1 flannel-v6.1 kube-ipvs0 flannel-wg flannel-wg-v6; do
    ip link delete "$interface" 2>/dev/null
done
rm -rf /var/lib/cni

# Only rules of Kubernetes and its network; everybody else's stay.
for tool in iptables ip6tables; do
    command -v "$tool-save" >/dev/null 2>&1 || continue
    "$tool-save" 2>/dev/null | grep -Ev 'KUBE-|CNI-|flannel' | "$tool-restore" 2>/dev/null
done
exit 0
