// Command k3s is a stand-in for k3s in the lab: k3s's command line, files,
// ports, unit behaviour and error texts over the real API server, controller
// manager, scheduler, etcd and hollow kubelets. README.md says what it lacks.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/grpc/grpclog"

	"towline.lab/parts"
)

func main() {
	Version = parts.TakeVersion(Version, func(version string) string { return version })
	switch program := filepath.Base(os.Args[0]); program {
	case "kubectl":
		runKubectl(os.Args[1:])
		return
	case "crictl", "ctr":
		notInStandIn(program)
	}
	if len(os.Args) < 2 {
		printUsage()
		return
	}
	command, arguments := os.Args[1], os.Args[2:]
	switch command {
	case "--version", "-v", "-version":
		printVersion()
	case "help", "--help", "-h":
		printUsage()
	case "kubectl":
		runKubectl(arguments)
	case "server", "agent":
		runService(command, arguments)
	case "token":
		exitWith(runToken(arguments))
	case "etcd-snapshot":
		exitWith(runSnapshot(arguments))
	case "certificate":
		exitWith(runCertificate(arguments))
	case "secrets-encrypt":
		exitWith(runSecretsEncrypt(arguments))
	case "crictl", "ctr", "check-config", "completion":
		notInStandIn(command)
	default:
		printUsage()
		parts.Fatal("Error: flag provided but not defined: %s", command)
	}
}

func notInStandIn(command string) {
	fmt.Fprintf(os.Stderr, "k3s %s is not in the stand-in\n", command)
	os.Exit(1)
}

func exitWith(err error) {
	if err != nil {
		parts.Fatal("Error: %v", err)
	}
}

// runService runs server or agent. Unknown flags are answered by the usage
// and a fatal line; a file that is no YAML by the parser's own words.
func runService(command string, arguments []string) {
	for _, argument := range arguments {
		if argument == "--help" || argument == "-h" {
			printServiceUsage(command)
			return
		}
	}
	chosen, err := loadOptions(command, arguments)
	var usage usageError
	switch {
	case errors.As(err, &usage):
		fmt.Printf("Incorrect Usage: %v\n\n", err)
		printServiceUsage(command)
		parts.Fatal("Error: %v", err)
	case err != nil:
		parts.Fatal("%v", err)
	}
	takeNotifySocket()
	parts.Debug = chosen.truth("debug")
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	run := runAgent
	if command == "server" {
		run = runServer
	}
	exitWith(run(chosen))
}

func printUsage() {
	fmt.Print(`NAME:
   k3s - Kubernetes, but small and simple

USAGE:
   k3s [global options] command [command options]

COMMANDS:
   server         Run management server
   agent          Run node agent
   kubectl        Run kubectl
   token          Manage tokens
   etcd-snapshot  Manage etcd snapshots

GLOBAL OPTIONS:
   --help, -h     show help
   --version, -v  print the version
`)
}

func printServiceUsage(command string) {
	what := "Run management server"
	if command == "agent" {
		what = "Run node agent"
	}
	fmt.Printf("NAME:\n   k3s %s - %s\n\nUSAGE:\n   k3s %s [OPTIONS]\n\nOPTIONS:\n", command, what, command)
	for _, flag := range flagNames(flagsOf(command)) {
		value := " value"
		if flag.kind == boolFlag {
			value = ""
		}
		fmt.Printf("   --%s%s  %s\n", flag.name, value, flag.usage)
	}
	fmt.Println()
}
