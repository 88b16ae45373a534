# What a host is asked of k3s. $data is the folder that its data is looked for in.
k3s=/usr/local/bin/k3s
configuration=/etc/rancher/k3s/config.yaml
file config "$configuration"
for drop_in in "$configuration".d/*.yaml "$configuration".d/*.yml; do
    [ -f "$drop_in" ] && say drop_in "$(head -c 65536 "$drop_in" | pack) ${drop_in##*/}"
done
for manifest in "$data"/server/manifests/towline/[0-9][0-9][0-9]/[a-z0-9]*; do
    [ -f "$manifest" ] && say manifest "${manifest#"$data"/server/manifests/towline/}"
done | head -n 1000
[ -s /etc/rancher/node/password ] && say owns_node present
if [ -d "$data/server/db/etcd/member" ]; then
    say datastore etcd
    say data_changed "$(stat -c %Y "$data"/server/db/etcd/member/wal/*.wal 2>/dev/null | sort -n | tail -n 1)"
elif [ -f "$data/server/db/state.db" ]; then
    say datastore sqlite
# One whose data is elsewhere has its token when it has been there.
elif [ -s "$data/server/token" ] && {
    grep -q '^datastore-endpoint:' "$configuration" ||
        grep -qi 'datastore.endpoint' /etc/systemd/system/k3s.service /etc/systemd/system/k3s.service.env /etc/default/k3s /etc/sysconfig/k3s
} 2>/dev/null; then
    say datastore external
fi
[ -f "$data/server/towline-restored" ] && say restored "$(head -c 120 "$data/server/towline-restored" | head -n 1)"
[ -f "$data/agent/kubelet.kubeconfig" ] && say joined yes
[ -f "$data/server/tls/server-ca.crt" ] &&
    say ca_hash "$(sha256sum <"$data/server/tls/server-ca.crt" | cut -d ' ' -f 1)"
# Its subject is the name of the node.
[ -f "$data/agent/client-kubelet.crt" ] &&
    say node_certificate "$(sed '/-END CERTIFICATE-/q' "$data/agent/client-kubelet.crt" | head -c 16384 | pack)"
[ -f "$data/agent/server-ca.crt" ] &&
    say agent_ca_hash "$(sha256sum <"$data/agent/server-ca.crt" | cut -d ' ' -f 1)"
file server_token "$data/server/token"
[ -h "$data/server/agent-token" ] || file agent_token "$data/server/agent-token"
[ -s "$k3s" ] && say version "$(timeout 10 "$k3s" --version 2>/dev/null | head -n 1)"
for role in server agent; do
    case $role in server) unit=k3s ;; agent) unit=k3s-agent ;; esac
    say "${role}_unit" "$(systemctl show -p LoadState -p ActiveState -p SubState -p FragmentPath -p NRestarts -p ActiveEnterTimestampMonotonic "$unit" 2>/dev/null | tr '\n' ' ')"
    own=/etc/systemd/system/$unit.service
    # What a unit says that something else wrote: its flags and its variables are settings, too.
    if [ -f "$own" ] && ! grep -q '^# Written by towline' "$own"; then
        say foreign "$unit $(head -c 65536 "$own" | pack)"
        for variables in "/etc/default/$unit" "/etc/sysconfig/$unit" "$own.env"; do
            [ -f "$variables" ] && say foreign_environment "$unit $(head -c 65536 "$variables" | pack)"
        done
    fi
done
if [ "$(systemctl is-active k3s 2>/dev/null)" = active ]; then
    file kubeconfig /etc/rancher/k3s/k3s.yaml
    nodes
    members
fi
