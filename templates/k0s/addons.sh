# Says which of the manifests $files in $folder k0s has not applied. The controller that leads applies the files of its
# own folder, all at once, when one of them changes: ten times in a minute, then no more (k0s 1.36, pkg/applier). It
# tells faults in its journal, and nothing where all went well: so the last file names the hash of all the others, and
# its object comes last. Where no file is left, that one goes with all the others.
kubectl() { timeout -k 1 15 /usr/local/bin/k0s kubectl --request-timeout=10s "$@"; }
applied=$(kubectl --namespace kube-system get configmap towline-manifests --ignore-not-found -o 'jsonpath={.data.sha256}') || exit 1
# A single controller holds no lease.
holders=$(kubectl --namespace kube-node-lease get lease k0s-endpoint-reconciler {{ ("k0s-ctrl-" ~ k0s.node_name) | quote }} --ignore-not-found -o 'jsonpath={.items[*].spec.holderIdentity}') || exit 1
set -- $holders
[ $# -lt 2 ] || [ "$1" = "$2" ] || { echo complete=yes; exit 0; }
wanted=$(sed -n 's/^ *sha256: //p' "$folder/towline.yaml" 2>/dev/null)
# k0s looks a second after the last change.
changed=$(stat -c %Y "$folder"/*.yaml "$folder" 2>/dev/null | sort -n | tail -n 1)
now=$(date +%s)
last=$(journalctl -u k0scontroller -o cat --no-pager --reverse --lines 20000 --since "@$changed" | grep -m 1 component=applier-towline)
case $last in
*' error='*)
    printf '%s\n' "$last" | sed 's/.* error="\?//; s/"$//; s/\\"/"/g; s/\\n/\n/g' | {
        while IFS= read -r line; do awaited manifests "$line"; done
    }
    case $last in *'level=error'*) again towline.yaml ;; esac
    ;;
*)
    [ "$applied" = "$wanted" ] && [ $((now - changed)) -ge 3 ] || {
        awaited manifests ''
        # Another controller led since, with other files.
        [ "$applied" = "$wanted" ] || [ $((now - changed)) -lt 60 ] || again towline.yaml
    }
    ;;
esac
echo complete=yes
