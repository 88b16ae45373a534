# The data of a snapshot on a server that has none, or a server with its own as the only member. k3s says by its words whether it went well, not by its status.
cd {{ (folders.data ~ "/server") | quote }} || exit 1
snapshot=$PWD/towline-restore
mkdir -p -m 0700 db || exit 1
{% if restore.sqlite -%}
tar -xf "$snapshot" -C db || exit 1
[ -s db/state.db ] || { echo "there is no state.db in the snapshot" >&2; exit 1; }
{% else -%}
said=$(mktemp) || exit 1
trap 'rm -f "$said"' EXIT
rm -f db/reset-flag
/usr/local/bin/k3s server --cluster-reset{% if restore.source %} "--cluster-reset-restore-path=$snapshot"{% endif %}{% if (k3s.config or {})["etcd-s3"] | default(false) %} --etcd-s3=false{% endif %} >"$said" 2>&1
if ! grep -q 'has been reset, restart without --cluster-reset' "$said"; then
    grep -E 'level=(fatal|error)' "$said" | tail -n 4 >&2
    tail -n 2 "$said" >&2
    exit 1
fi
{% endif -%}
sync
echo '{{ restore.id }} {{ restore.sha256 }}' >towline-restored.new && mv towline-restored.new towline-restored
