package main

import (
	"os"
	"strings"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// runKubectl is kubectl with k3s's kubeconfig where none is named.
func runKubectl(arguments []string) {
	named := os.Getenv("KUBECONFIG") != ""
	for _, argument := range arguments {
		named = named || argument == "--kubeconfig" || strings.HasPrefix(argument, "--kubeconfig=")
	}
	if !named {
		if file, err := os.Open(defaultKubeconfig); err == nil {
			_ = file.Close()
			_ = os.Setenv("KUBECONFIG", defaultKubeconfig)
		} else if os.IsPermission(err) {
			logWarning("Unable to read %s, please start server with --write-kubeconfig-mode or --write-kubeconfig-group to modify kube config permissions", defaultKubeconfig)
			_ = os.Setenv("KUBECONFIG", defaultKubeconfig)
		}
	}
	os.Args = append([]string{"kubectl"}, arguments...)
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
