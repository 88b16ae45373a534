# Takes the turn to stop a server, for 20 s: a lease that all servers see. Of two runs that ask at
# once, for different servers, one gets it. A turn that is not given back ends by itself, also where
# the clocks of two servers are far apart.
turn() {
    leases() { kubectl --request-timeout=5s --namespace kube-system "$@"; }
    for _ in 1 2; do
        found=$(leases get lease towline --ignore-not-found \
            -o 'jsonpath={.metadata.resourceVersion} {.spec.renewTime} {.spec.holderIdentity}') || return
        IFS=' ' read -r version renewed holder <<END
$found
END
        if [ -n "$version" ] && [ "${holder#*/}" != "${1#*/}" ]; then
            age=$(($(date +%s) - $(date -d "$renewed" +%s 2>/dev/null || echo 0)))
            [ "$age" -ge 20 ] || [ "$age" -le -20 ] || break
        fi
        holder=
        printf '{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "towline", "namespace": "kube-system", "resourceVersion": "%s"},
            "spec": {"holderIdentity": "%s", "leaseDurationSeconds": 20, "renewTime": "%s"}}' \
            "$version" "$1" "$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)" |
            leases "$([ -n "$version" ] && echo replace || echo create)" -f - >/dev/null && holder=$1 && break
    done
    [ -z "$holder" ] || say turn "$holder"
}
