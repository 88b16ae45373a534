etcd={{ k3s.data_dir }}/server/db/etcd
# etcd answers on a host whose k3s is a member of it, at 2382, in old releases at 2379.
is_member() {
    tls={{ k3s.data_dir }}/server/tls/etcd
    for port in 2382 2379; do
        echo '{}' | timeout 15 /usr/local/bin/k3s kubectl --kubeconfig=/dev/null --server="https://localhost:$port" \
            --certificate-authority="$tls/server-ca.crt" --client-certificate="$tls/client.crt" --client-key="$tls/client.key" \
            --request-timeout=5s create --raw /v3/cluster/member/list -f - >/dev/null 2>&1 && return 0
    done
    return 1
}
# Whether k3s finds a tombstone when it starts, or has found it.
is_buried() {
    [ -e "$etcd/tombstone" ] || return 1
    case "$(systemctl is-active k3s)" in inactive | failed) return 0 ;; esac
    started=$(date -d "$(systemctl show -p ExecMainStartTimestamp --value k3s)" +%s) &&
        [ "$(stat -c %Y "$etcd/tombstone")" -lt "$started" ]
}
