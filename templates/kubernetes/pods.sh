kubectl() { {{ cluster.kubectl }} --request-timeout=20s "$@"; }
# The pods of a node that a drain moves, as NAMESPACE/NAME.
pods() {
    found=$(kubectl get pods -A --field-selector "spec.nodeName=$1" -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.metadata.ownerReferences[0].kind}:{.status.phase}{"\n"}{end}') || return 1
    printf '%s\n' "$found" | grep -Ev ' (DaemonSet|Node):|:(Succeeded|Failed)$|^$' | cut -d ' ' -f 1
}
