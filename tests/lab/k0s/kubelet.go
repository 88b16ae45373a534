package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"towline.lab/parts"
)

func (w *worker) startKubelet(kubeconfig string, known *profile) (*kubernetes.Clientset, error) {
	parts.LogInfo("Starting kubelet")
	if err := writeContainerdConfig(); err != nil {
		return nil, err
	}
	var taints []corev1.Taint
	for _, text := range w.flags.taints {
		parsed, err := parts.ParseTaints([]string{text})
		if err != nil {
			return nil, fmt.Errorf("can't parse taints for profile config map: %w", err)
		}
		taints = append(taints, parsed...)
	}
	if fails, isBool := known.kubelet["failCgroupV1"].(bool); onCgroupV1() && (!isBool || fails) {
		go func() {
			for {
				parts.LogComponent("kubelet", `E "command failed" err="failed to run Kubelet: kubelet is configured to not run on a host using cgroup v1"`)
				time.Sleep(5 * time.Second)
			}
		}()
		return nil, nil
	}
	signer, err := w.servingCertificate()
	if err != nil {
		return nil, err
	}
	var addresses []string
	if text := w.flags.kubeletArgument("node-ip"); text != "" {
		addresses = strings.Split(text, ",")
	}
	dns := []string{}
	if list, isList := known.kubelet["clusterDNS"].([]any); isList {
		for _, one := range list {
			dns = append(dns, fmt.Sprint(one))
		}
	}
	domain, _ := known.kubelet["clusterDomain"].(string)
	return parts.StartKubelet(parts.KubeletOptions{
		NodeName: w.name, NodeIPs: addresses, Labels: w.flags.labels, Taints: taints, Kubeconfig: kubeconfig,
		RootDirectory: w.vars.KubeletRootDir, StaticPods: filepath.Join(w.vars.RunDir, "static-pods"), ServingCertificate: signer,
		ClusterDNS: dns, ClusterDomain: domain, ExternalCloud: w.flags.cloudProvider, AwaitNetwork: true,
		StateFile: filepath.Join(w.vars.RunDir, "standin-runtime.json"),
	})
}

// writeContainerdConfig leaves what k0s writes for its containerd, and what a reset leaves.
func writeContainerdConfig() error {
	const file = "/etc/k0s/containerd.toml"
	if err := os.MkdirAll("/etc/k0s/containerd.d", 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	return parts.WriteFileAtomically(file, []byte("# k0s_managed=true\nversion = 3\nimports = [\"/run/k0s/containerd-cri.toml\"]\n"), 0o644)
}

// servingCertificate is self-signed: this kubelet has no callers.
func (w *worker) servingCertificate() (string, error) {
	certificate, key, err := parts.NewAuthority(w.name)
	if err != nil {
		return "", err
	}
	file := filepath.Join(w.vars.RunDir, "kubelet", "serving.crt")
	if err := parts.WriteFileAtomically(parts.KeyFileOf(file), key, 0o600); err != nil {
		return "", err
	}
	return file, parts.WriteFileAtomically(file, certificate, 0o644)
}
