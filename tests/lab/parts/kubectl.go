package parts

import (
	"os"
	"strings"

	_ "first.lab"
	_ "first.lab/english"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// KubeconfigIsNamed says whether the arguments of kubectl or the environment name a kubeconfig.
func KubeconfigIsNamed(arguments []string) bool {
	named := os.Getenv("KUBECONFIG") != ""
	for _, argument := range arguments {
		named = named || argument == "--kubeconfig" || strings.HasPrefix(argument, "--kubeconfig=")
	}
	return named
}

// RunKubectl is kubectl.
func RunKubectl(arguments []string) {
	os.Args = append([]string{"kubectl"}, arguments...)
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
