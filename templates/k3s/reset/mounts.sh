{% include "os/absent.sh" %}
# What is mounted at the folders themselves was put there by a user.
mounts() {
    below /run/k3s
    below /run/netns cni-
    below /var/lib/kubelet
    below /var/lib/rancher/k3s
{% if folders.data != "/var/lib/rancher/k3s" %}
    for name in agent data server storage; do
        below {{ folders.data }}/$name
    done
{% endif %}
{% if folders.kubelet != "/var/lib/kubelet" %}
    for name in plugins pods; do
        below {{ folders.kubelet }}/$name
    done
{% endif %}
}
