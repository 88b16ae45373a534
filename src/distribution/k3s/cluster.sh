# What a server is asked with, and what its etcd tells of its members. $data is the folder of k3s's data.
kubectl() { timeout 15 /usr/local/bin/k3s kubectl "$@" 2>/dev/null; }

members() {
    tls=$data/server/tls/etcd
    members=
    [ -f "$tls/client.key" ] || return 0
    # etcd serves HTTP at 2382, that of old releases at 2379.
    for port in 2382 2379; do
        members=$(echo '{}' | kubectl --kubeconfig=/dev/null --server="https://localhost:$port" --request-timeout=10s \
            --certificate-authority="$tls/server-ca.crt" --client-certificate="$tls/client.crt" --client-key="$tls/client.key" \
            create --raw /v3/cluster/member/list -f -) || continue
        say members "$(printf '%s' "$members" | pack)"
        break
    done
}

# Which of these members answer now. What etcd counts lags five seconds behind a lost power cord. A
# peer's port offers HTTP/2 and does not speak it.
peers() {
    for url in $(printf '%s' "$members" | grep -o 'https://[][0-9a-fA-F.:]*:2380'); do
        DISABLE_HTTP2=1 kubectl --kubeconfig=/dev/null --server="$url" --request-timeout=5s --certificate-authority="$tls/peer-ca.crt" \
            --client-certificate="$tls/peer-server-client.crt" --client-key="$tls/peer-server-client.key" \
            get --raw /version >/dev/null && say peer "$url" &
    done
    wait
    [ -z "$members" ] || say peers asked
}
