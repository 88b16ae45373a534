# What a controller is asked with, and what its etcd tells of its members. $data is the folder of k0s's data.
k0s=/usr/local/bin/k0s
# One that something else set up may run from another folder.
if ! [ -s "$k0s" ]; then
    for unit in k0scontroller k0sworker; do
        process=$(systemctl show -p MainPID --value "$unit" 2>/dev/null)
        [ "${process:-0}" -gt 0 ] && [ -s "/proc/$process/exe" ] && k0s=/proc/$process/exe
    done
fi
# A k0s whose request hangs does not always end at the first signal.
kubectl() { timeout -k 1 15 "$k0s" kubectl "$@" 2>/dev/null; }

members() {
    tls=$data/pki
    members=
    [ -f "$tls/apiserver-etcd-client.key" ] || return 0
    members=$(echo '{}' | kubectl --kubeconfig=/dev/null --server=https://127.0.0.1:2379 --request-timeout=10s \
        --certificate-authority="$tls/etcd/ca.crt" --client-certificate="$tls/apiserver-etcd-client.crt" \
        --client-key="$tls/apiserver-etcd-client.key" create --raw /v3/cluster/member/list -f -) || return 0
    say members "$(printf '%s' "$members" | pack)"
}

# Which of these members answer now. A peer's port offers HTTP/2 and does not speak it.
peers() {
    for url in $(printf '%s' "$members" | grep -o 'https://[][0-9a-fA-F.:]*:2380'); do
        DISABLE_HTTP2=1 kubectl --kubeconfig=/dev/null --server="$url" --request-timeout=5s --certificate-authority="$tls/etcd/ca.crt" \
            --client-certificate="$tls/etcd/peer.crt" --client-key="$tls/etcd/peer.key" get --raw /version >/dev/null && say peer "$url" &
    done
    wait
    [ -z "$members" ] || say peers asked
}
