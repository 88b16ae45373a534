package main

import (
	"os"

	"towline.lab/parts"
)

// runKubectl is kubectl with k3s's kubeconfig where none is named.
func runKubectl(arguments []string) {
	if !parts.KubeconfigIsNamed(arguments) {
		if file, err := os.Open(defaultKubeconfig); err == nil {
			_ = file.Close()
			_ = os.Setenv("KUBECONFIG", defaultKubeconfig)
		} else if os.IsPermission(err) {
			parts.LogWarning("Unable to read %s, please start server with --write-kubeconfig-mode or --write-kubeconfig-group to modify kube config permissions", defaultKubeconfig)
			_ = os.Setenv("KUBECONFIG", defaultKubeconfig)
		}
	}
	parts.RunKubectl(arguments)
}
