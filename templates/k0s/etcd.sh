# Asks this controller's member of etcd, which serves JSON, too.
etcd() {
    tls={{ k0s.data_dir }}/pki
    timeout -k 1 20 /usr/local/bin/k0s kubectl --kubeconfig=/dev/null --server=https://127.0.0.1:2379 --request-timeout=15s \
        --certificate-authority="$tls/etcd/ca.crt" --client-certificate="$tls/apiserver-etcd-client.crt" \
        --client-key="$tls/apiserver-etcd-client.key" create --raw "/v3/cluster/$1" -f -
}
