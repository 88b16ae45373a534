{% include "os/absent.sh" %}
# What is mounted at the folders themselves was put there by a user.
mounts() {
    below /run/k0s
    below /run/netns cni-
    below /var/lib/k0s
{% if folders.data != "/var/lib/k0s" %}
    for name in bin containerd kubelet; do
        below {{ folders.data }}/$name
    done
{% endif %}
    for name in plugins pods; do
        below {{ folders.kubelet }}/$name
    done
}
