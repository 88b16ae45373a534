{% include "kubernetes/pods.sh" %}
node={{ upgrade.node | quote }} mark={{ upgrade.cordoned | quote }} limit={{ upgrade.drain_timeout }}
is_drained() {
    [ "$(kubectl get node "$node" -o 'jsonpath={.spec.unschedulable}')" = true ] && left=$(pods "$node") && [ -z "$left" ]
}
is_ours() {
    found=$(kubectl get node "$node" -o 'jsonpath=.{.metadata.labels.{{ upgrade.cordoned }}}') && [ "$found" = .upgrade ]
}
# A node that is cordoned already stays what it is; the version of the object makes sure of that.
cordon() {
    for _ in 1 2 3 4 5; do
        state=$(kubectl get node "$node" -o 'jsonpath={.metadata.resourceVersion} {.spec.unschedulable}') || return 1
        case "$state" in *' true') return 0 ;; esac
        kubectl patch node "$node" --type merge -p "{\"metadata\": {\"resourceVersion\": \"${state%% *}\", \"labels\": {\"$mark\": \"upgrade\"}}, \"spec\": {\"unschedulable\": true}}" >&2 && return 0
    done
    return 1
}
uncordon() {
    kubectl patch node "$node" --type merge -p "{\"metadata\": {\"labels\": {\"$mark\": null}}, \"spec\": {\"unschedulable\": null}}" >&2
}
drain() {
    cordon || return 1
    said=$({{ cluster.kubectl }} drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout="${limit}s" 2>&1) && return 0
    printf '%s\n' "$said" | grep -v -e '^Warning: ' -e '^evicting pod' | sort -u | tail -n 4 >&2
    left=$(pods "$node" | head -n 5 | paste -s -d , -)
    ! is_ours || uncordon
    case "$said" in
    *'disruption budget'*)
        budgets=$(kubectl get poddisruptionbudgets -A -o 'jsonpath={range .items[?(@.status.disruptionsAllowed==0)]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}' | head -n 5 | paste -s -d , -)
        why="the pods of $node could not be moved in $limit s: a PodDisruptionBudget does not allow it (${budgets:-none at this moment})" ;;
    *'global timeout reached'*) why="the pods of $node could not be moved in $limit s" ;;
    *) why="the node $node cannot be drained" ;;
    esac
    echo "$why; still there: ${left:-none}" >&2
    return 1
}
