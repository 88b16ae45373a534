interfaces() {
    ip -o link show | cut -d ' ' -f 2 | sed 's/[:@].*//' | grep -Ex 'cni0|flannel[.-].*|kube-.*'
}
