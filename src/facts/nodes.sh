# The nodes that a server's API lists, with the two conditions that are looked at. Text that a kubelet
# may have chosen stands in JSON of one line.
nodes() {
    say five_minutes_ago "$(date -u -d "@$(($(date +%s) - 300))" +%Y-%m-%dT%H:%M:%SZ)"
    if nodes=$(kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name}{"\t"}{.metadata.uid}{"\t"}{.metadata.creationTimestamp}{"\t"}{.metadata.labels}{"\t"}{.status.addresses}{"\t"}{.status.nodeInfo}{"\t[0"}{range .status.conditions[?(@.type=="Ready")]}{","}{@}{end}{range .status.conditions[?(@.type=="EtcdIsVoter")]}{","}{@}{end}{"]\t"}{.spec.podCIDRs}{"\t"}{.spec.taints}{"\n"}{end}'); then
        say api ready
        printf '%s\n' "$nodes" | while IFS= read -r line; do
            say node "$line"
        done
    fi
}
