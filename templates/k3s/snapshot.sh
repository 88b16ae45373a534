name={{ ("before-" ~ (k3s.version | replace("+", "-"))) | quote }}
folder={{ (((k3s.config or {})["etcd-snapshot-dir"] | default("")) or (k3s.data_dir ~ "/server/db/snapshots")) | quote }}
# One of the last day: an upgrade that is run again has changed something since it was taken.
recent() { find "$folder" -type f -name "$name-*" ! -name '*.part' -size +0 -mmin -1440 2>/dev/null; }
