interfaces() {
    ip -o link show | cut -d ' ' -f 2 | sed 's/[:@].*//' | grep -Ex 'cni0|flannel[.-].*|kube-.*'
}
remove_interfaces() {
    for interface in $(interfaces); do
        # One can go with another.
        ip link delete "$interface" 2>/dev/null
    done
}
