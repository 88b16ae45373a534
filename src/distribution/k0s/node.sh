# What a host is asked of k0s. $data is the folder that its data is looked for in, $k0s the program.
config=/etc/k0s/k0s.yaml
for role in server agent; do
    case $role in server) unit=k0scontroller ;; agent) unit=k0sworker ;; esac
    state=$(systemctl show -p LoadState -p ActiveState -p SubState -p FragmentPath -p NRestarts -p ActiveEnterTimestampMonotonic "$unit" 2>/dev/null | tr '\n' ' ')
    say "${role}_unit" "$state"
    own=/etc/systemd/system/$unit.service
    [ -f "$own" ] || own=$(printf '%s' "$state" | sed -n 's/.*FragmentPath=\([^ ]*\).*/\1/p')
    [ -f "$own" ] || continue
    # Its flags are settings.
    say drop_in "$(head -c 65536 "$own" | pack) $unit.service"
    grep -q '^# Written by towline' "$own" && continue
    say foreign "$unit $(head -c 65536 "$own" | pack)"
    commands=$(grep -ls '^ExecStart=' "/etc/systemd/system/$unit.service.d"/*.conf)
    [ -z "$commands" ] || say drop_in "$(printf '%s' "$commands" | pack) commands"
    [ $role = server ] || continue
    named=$(sed -n 's/^ExecStart=.*[ "]\(--config\|-c\)[= ]\([^ "]*\).*/\2/p' "$own" | tail -n 1)
    [ -z "$named" ] || config=$named
    # What it was started with, and what it would be told by an empty file.
    [ -d /run/k0s ] && case $state in
    *ActiveState=active*)
        [ -f /run/k0s/k0s.yaml ] && say drop_in "$(head -c 262144 /run/k0s/k0s.yaml | pack) running"
        say drop_in "$(timeout -k 1 10 "$k0s" config create 2>/dev/null | head -c 262144 | pack) defaults"
        ;;
    esac
done
file config "$config"
# Its drop-ins count only while k0s writes this.
containerd=/etc/k0s/containerd.toml
[ -f "$containerd" ] && ! grep -qx '# k0s_managed=true' "$containerd" && say drop_in "$(echo own | pack) containerd.toml"
for manifest in "$data"/manifests/towline/[0-9][0-9][0-9]-[a-z0-9]*.yaml; do
    [ -f "$manifest" ] && printf '%s\n' "${manifest##*/}"
done | head -n 1000 | sed 's/-/\//' | while IFS= read -r manifest; do say manifest "$manifest"; done
# What k0s itself takes for data of a cluster that it is in.
if [ -f "$data/etcd/member/snap/db" ]; then
    say datastore etcd
elif [ -f "$data/db/state.db" ]; then
    say datastore sqlite
elif [ -f "$data/pki/ca.key" ] && grep -qe externalCluster -e dataSource "$config" 2>/dev/null; then
    say datastore external
fi
[ -f "$data/pki/ca.key" ] && say ca_hash "$(sha256sum <"$data/pki/ca.crt" | cut -d ' ' -f 1)"
kubelet=$data/kubelet.conf
value() { sed -n "s/^ *$1: *//p" "$kubelet" | head -n 1; }
if [ -f "$kubelet" ]; then
    say joined yes
    say owns_node yes
    say agent_ca_hash "$(value certificate-authority-data | base64 -d 2>/dev/null | sha256sum | cut -d ' ' -f 1)"
    # Its subject is the name of the node.
    certificate=$(value client-certificate)
    [ -f "$certificate" ] && say node_certificate "$(sed '/-END CERTIFICATE-/q' "$certificate" | head -c 16384 | pack)"
    say drop_in "$(printf 'server: %s\n' "$(value server)" | pack) kubelet.conf"
fi
[ -s "$k0s" ] && say version "$(timeout -k 1 10 "$k0s" version 2>/dev/null | head -n 1)"
[ "$k0s" = /usr/local/bin/k0s ] || say drop_in "$(printf '%s' "$k0s" | pack) program"
if [ "$(systemctl is-active k0scontroller 2>/dev/null)" = active ]; then
    file kubeconfig "$data/pki/admin.conf"
    nodes
    members
fi
