# Says which of the manifests $files in $folder k3s has not applied. It keeps an AddOn for each, by the file's name up
# to the first period, and in it the hash of what it has applied last; what it could not apply is told by events of
# the AddOn, and tried again every 15 s (k3s 1.36, pkg/deploy/controller.go). A file that is switched off by another
# of its name with .skip behind it, anywhere in the folder, is not waited for.
kubectl() { /usr/local/bin/k3s kubectl --request-timeout=10s --namespace kube-system "$@"; }
addons=$(kubectl get addons.k3s.cattle.io -o 'jsonpath={range .items[*]}{.metadata.name}={.spec.checksum}{"\n"}{end}') || exit 1
cd "$folder" || exit 0
for file in $files; do
    base=${file##*/}; name=${base%%.*}
    [ -z "$(find . -name "$base.skip" -print -quit)" ] || continue
    printf '%s\n' "$addons" | grep -Fqx "$name=$(sha256sum <"$file" | cut -d ' ' -f 1)" && continue
    event=$(kubectl get events --field-selector "involvedObject.kind=Addon,involvedObject.name=$name,type=Warning" --sort-by=.lastTimestamp -o name | tail -n 1)
    [ -z "$event" ] || event=$(kubectl get "$event" -o 'jsonpath={.lastTimestamp} {.reason}: {.message}')
    written=$(stat -c %Y "$file")
    [ -n "$event" ] && [ "$(date -d "${event%% *}" +%s)" -ge "$written" ] || event=
    awaited "$file" "${event#* }"
    # Every server applies its own files, and at its start all of them: one that comes back with what was a manifest
    # before puts that into the cluster. The others do not look again at a file that was not written since.
    [ -n "$event" ] || [ $(($(date +%s) - written)) -lt 60 ] || again "$file"
done
echo complete=yes
