//! What a host's templates know, in the tests.

use serde_json::{Value, json};

pub(super) fn context(role: &str, config: &Value) -> Value {
    let (unit, command) = if role == "server" {
        ("k3s", "server")
    } else {
        ("k3s-agent", "agent")
    };
    json!({
        "host": {
            "name": "m1", "address": "10.0.0.1", "role": role,
            "packages": ["nfs-common"], "kernel_modules": ["nbd"],
            "sysctls": [{"name": "vm.max_map_count", "value": "262144"}],
            "files": [{"path": "/etc/motd", "content": "{{ host.name }}\n", "template": true, "mode": "0644", "owner": "root:root"}],
            "restarting": ["/etc/motd"],
        },
        "cluster": {"name": "home", "api_port": 6443, "kubectl": "k3s kubectl", "units": "k3s|k3s-agent", "sources": ["10.0.0.1", "fd00::1"], "labels": [{"node": "m2", "uid": "5cc9", "labels": {"disk": "ssd", "zone": null}, "taints": {"gpu:NoSchedule": "yes"}}]},
        "facts": {"architecture": "x86_64", "ipv6": true, "advertised": ["eth0"], "ufw": true, "cgroup": 2, "debian": true},
        "k3s": {
            "unit": unit, "command": command, "version": "v1.36.3+k3s1", "has_node": true, "node_name": "m1",
            "voter": true, "flannel": true, "plug_in": false, "awaits_network": false, "no_server": false, "config": config, "forget": [{"name": "m2", "uid": "5cc9fb3e-4d5b-4c2c-9d0f-7a0d7e4a9a3b"}], "foreign": false, "effective": false,
            "removed": role == "server",
            "copy": "before-etcd",
            "environment": [{"name": "HTTPS_PROXY", "value": "http://ops:\"$x@10.0.0.1:3128"}],
            "registries": {"mirrors": {"docker.io": {"endpoint": ["https://m1:5000"]}}},
            "documents": [{"path": "/etc/rancher/k3s/kubelet.yaml", "text": "maxPods: 200\n"}],
            "datastore_files": [{"path": "/etc/rancher/k3s/datastore-ca.crt", "content": "x"}],
            "registry_files": [{"path": "/etc/rancher/k3s/registries/m1-ca.pem", "content": "x"}],
            "data_dir": if role == "server" { "/data/k3s" } else { "/var/lib/rancher/k3s" },
            "manifests": [{"path": "001/cni.yaml", "content": "kind: {{ x }}\n"}], "left": [{"path": "002/old.yaml", "name": "old"}],
            "moved": ["002/cni.yaml"],
        },
        "k0s": {
            "unit": "k0scontroller", "command": if role == "server" { "controller" } else { "worker" }, "version": "v1.36.3+k0s.2",
            "arguments": ["--config=/etc/k0s/k0s.yaml", "\"--kubelet-extra-args=--node-ip=10.0.0.1 --v=2\""], "spec": config,
            "has_node": true, "node_name": "m1", "network": true, "no_server": false, "founds": role == "server",
            "joins": role != "server", "token": if role == "server" { "" } else { "H4sIAAAA" }, "server": "10.0.0.1",
            "peers": [{"address": "10.0.0.1", "ports": "9443 2380", "what": "m2, a member of etcd", "next": "look"}], "forget": [{"id": "123", "address": "10.0.0.2"}],
            "tokens": [{"role": "worker", "hosts": "w1", "id": "abcdef", "secret": "x", "usages": ["usage-bootstrap-authentication"]}],
            "foreign": role == "server", "effective": false, "elsewhere": role == "server", "data_dir": "/var/lib/k0s",
            "external": true, "datastore_files": [{"path": "/etc/k0s/datastore.key", "content": "x"}], "registries": true, "containerd_1": role == "server",
            "registry_files": [{"path": "/etc/k0s/registries/m1/hosts.toml", "content": "ca = \"x\"\n"}],
            "manifests": [{"path": "001/cni.yaml", "content": "kind: {{ x }}\n"}], "manifests_sha256": "0a", "left": [{"path": "002/old.yaml", "name": "old"}],
            "moved": ["002/cni.yaml"],
        },
        "reset": {"drain": ["m2"], "nodes": ["m2"], "names": ["m2"], "holders": ["m2"], "from": "https://10.0.0.1:6443", "to": "https://10.0.0.2:6443", "data_dir": "/srv/data", "whole": role == "server"},
        "upgrade": {
            "replaces": true, "version": "v1.36.3+k3s1", "sha256": "ab".repeat(32), "drains": true, "drain_timeout": 120, "uncordons": true, "node": "m1",
            "cordoned": "towline/cordoned", "snapshot": true,
        },
        "restore": {"id": "ab".repeat(16), "here": true, "source": "/tmp/snapshot", "sha256": "ab".repeat(32), "bytes": 4128, "sqlite": role != "server"},
        "folders": if role == "server" {
            json!({"data": "/data/k3s", "kubelet": "/srv/kubelet"})
        } else {
            json!({"data": "/var/lib/rancher/k3s", "kubelet": "/var/lib/kubelet"})
        },
    })
}
