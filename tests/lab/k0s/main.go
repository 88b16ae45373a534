// Command k0s is a stand-in for k0s in the lab: k0s's command line, files,
// ports, unit behaviour and error texts over the real API server, controller
// manager, scheduler, etcd and hollow kubelets. README.md says what it lacks.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc/grpclog"

	"towline.lab/parts"
)

func main() {
	parts.TimeFormat = time.DateTime
	// Kubernetes' own version is without the number behind "+k0s".
	Version = parts.TakeVersion(Version, func(version string) string {
		upstream, _, _ := strings.Cut(version, "+k0s")
		return upstream + "+k0s"
	})
	if program := strings.TrimPrefix(filepath.Base(os.Args[0]), "k0s-"); program == "kubectl" {
		runKubectl(os.Args[1:])
		return
	}
	// kubectl has its own command line.
	if len(os.Args) > 1 && (os.Args[1] == "kubectl" || os.Args[1] == "kc") {
		runKubectl(os.Args[2:])
		return
	}
	// k0s tells what it does only where it runs for long.
	parts.Quiet = len(os.Args) < 2 || os.Args[1] != "controller" && os.Args[1] != "server" && os.Args[1] != "worker"
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	if err := commands().Execute(); err != nil {
		os.Exit(1)
	}
}

func runKubectl(arguments []string) {
	var rest []string
	dataDir := ""
	for index := 0; index < len(arguments); index++ {
		if value, found := strings.CutPrefix(arguments[index], "--data-dir="); found {
			dataDir = value
		} else if arguments[index] == "--data-dir" && index+1 < len(arguments) {
			index++
			dataDir = arguments[index]
		} else {
			rest = append(rest, arguments[index])
		}
	}
	if !parts.KubeconfigIsNamed(rest) {
		v, err := newVars(dataDir, "", "", "", false)
		if err == nil {
			if running, errRunning := loadRuntime(v.RuntimeConfigPath); errRunning == nil {
				v = running
			}
			if _, err = os.Stat(v.AdminKubeConfigPath); err != nil {
				err = fmt.Errorf("cannot stat k0s kubeconfig, is the server running?: %w", err)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
		_ = os.Setenv("KUBECONFIG", v.AdminKubeConfigPath)
	}
	parts.RunKubectl(rest)
}

// command makes a command whose work needs the places of k0s.
func command(use, short string, arguments cobra.PositionalArgs, flags *pflag.FlagSet, run func(*cobra.Command, *vars, []string) error) *cobra.Command {
	made := &cobra.Command{Use: use, Short: short, Args: arguments, RunE: func(command *cobra.Command, arguments []string) error {
		v, err := varsOf(command)
		if err != nil {
			return err
		}
		return run(command, v, arguments)
	}}
	if flags != nil {
		made.Flags().AddFlagSet(flags)
	}
	return made
}

func group(use, short string, children ...*cobra.Command) *cobra.Command {
	made := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return pflag.ErrHelp }}
	made.AddCommand(children...)
	return made
}

func placeFlags() *pflag.FlagSet {
	flags := &pflag.FlagSet{}
	flags.String("data-dir", defaultDataDir, "Data Directory for k0s. DO NOT CHANGE for an existing setup, things will break!")
	flags.String("status-socket", "", "Full file path to the socket file. (default: <rundir>/status.sock)")
	return flags
}

func addConfigFlag(flags *pflag.FlagSet) {
	flags.StringP("config", "c", "", fmt.Sprintf("config file, use '-' to read the config from stdin (default %q)", defaultConfigFile))
}

func addWorkerFlags(flags *pflag.FlagSet, into *workerFlags) {
	flags.String("kubelet-root-dir", "", "Kubelet root directory for k0s")
	flags.StringVar(&into.profile, "profile", "default", "worker profile to use on the node")
	flags.BoolVar(&into.cloudProvider, "enable-cloud-provider", false, "Whether or not to enable cloud provider support in kubelet")
	flags.StringVar(&into.token.file, "token-file", "", "Path to the file containing join-token.")
	flags.StringP("logging", "l", "", "Logging Levels for the different components")
	flags.StringToStringVar(&into.labels, "labels", nil, "Node labels, list of key=value pairs")
	flags.StringSliceVar(&into.taints, "taints", nil, "Node taints, list of key=value:effect strings")
	flags.StringVar(&into.kubeletArgs, "kubelet-extra-args", "", "extra args for kubelet")
	flags.String("iptables-mode", "", "iptables mode (valid values: nft, legacy, auto). default: auto")
	flags.BoolVar(&into.ignorePreflight, "ignore-pre-flight-checks", false, "continue even if pre-flight checks fail")
	flags.String("cri-socket", "", "container runtime socket to use, default to internal containerd. Format: [remote|docker]:[path-to-socket]")
	flags.BoolVarP(&parts.Debug, "debug", "d", false, "Debug logging")
	flags.BoolP("verbose", "v", false, "Verbose logging")
}

func addControllerFlags(flags *pflag.FlagSet, into *controllerFlags) {
	addConfigFlag(flags)
	flags.BoolVar(&into.enableWorker, "enable-worker", false, "enable worker (default false)")
	flags.StringSliceVar(&into.disableComponents, "disable-components", nil, "disable components (valid items: "+strings.Join(components, ",")+")")
	flags.BoolVar(&into.single, "single", false, "enable single node (implies --enable-worker, default false)")
	flags.BoolVar(&into.noTaints, "no-taints", false, "disable default taints for controller node")
	for _, name := range []string{"enable-k0s-cloud-provider", "enable-dynamic-config", "enable-metrics-scraper", "init-only"} {
		flags.Bool(name, false, "not in the stand-in")
	}
	for _, name := range []string{"k0s-cloud-provider-update-frequency", "k0s-cloud-provider-port", "kube-controller-manager-extra-args", "feature-gates", "api-server-stop-timeout"} {
		flags.String(name, "", "not in the stand-in")
	}
	addWorkerFlags(flags, &into.worker)
}

func commands() *cobra.Command {
	root := &cobra.Command{Use: "k0s", Short: "k0s - Zero Friction Kubernetes", SilenceUsage: true}
	root.AddCommand(controllerCommand(), workerCommand(), versionCommand(), statusCommand(), tokenCommands(), etcdCommands(), configCommands(),
		kubeconfigCommands(), installCommands(), resetCommand())
	for _, action := range []string{"start", "stop"} {
		root.AddCommand(&cobra.Command{Use: action, Short: strings.ToUpper(action[:1]) + action[1:] + " the k0s service configured on this host. Must be run as root (or with sudo)",
			Args: cobra.NoArgs, RunE: func(command *cobra.Command, _ []string) error { return controlService(command.Name()) }})
	}
	for _, name := range []string{"airgap", "backup", "restore", "sysinfo", "ctr", "completion"} {
		root.AddCommand(&cobra.Command{Use: name, DisableFlagParsing: true, RunE: func(command *cobra.Command, _ []string) error {
			return fmt.Errorf("k0s %s is not in the stand-in", command.Name())
		}})
	}
	return root
}

func controllerCommand() *cobra.Command {
	chosen := &controllerFlags{}
	flags := placeFlags()
	addControllerFlags(flags, chosen)
	made := command("controller [join-token]", "Run controller", cobra.MaximumNArgs(1), flags, func(_ *cobra.Command, v *vars, arguments []string) error {
		if len(arguments) > 0 {
			chosen.worker.token.argument = arguments[0]
		}
		return runController(v, chosen)
	})
	made.Aliases = []string{"server"}
	return made
}

func workerCommand() *cobra.Command {
	chosen := &workerFlags{}
	flags := placeFlags()
	addWorkerFlags(flags, chosen)
	return command("worker [join-token]", "Run worker", cobra.MaximumNArgs(1), flags, func(_ *cobra.Command, v *vars, arguments []string) error {
		if len(arguments) > 0 {
			chosen.token.argument = arguments[0]
		}
		return runWorker(v, chosen)
	})
}

func versionCommand() *cobra.Command {
	asJSON := false
	made := &cobra.Command{Use: "version", Short: "Print the k0s version", Args: cobra.NoArgs, Run: func(command *cobra.Command, _ []string) {
		if asJSON {
			content, _ := json.MarshalIndent(map[string]string{"k0s": Version, "kubernetes": strings.TrimPrefix(strings.Split(Version, "+")[0], "v")}, "", "   ")
			_, _ = fmt.Fprintln(command.OutOrStdout(), string(content))
			return
		}
		_, _ = fmt.Fprintln(command.OutOrStdout(), Version)
	}}
	made.Flags().BoolVarP(&asJSON, "json", "j", false, "use to print all k0s version info in json")
	return made
}

func statusCommand() *cobra.Command {
	form := ""
	flags := placeFlags()
	flags.StringVarP(&form, "out", "o", "", "sets type of output to json or yaml")
	return command("status", "Get k0s instance status information", cobra.NoArgs, flags, func(command *cobra.Command, v *vars, _ []string) error {
		answer, err := askStatus(v.StatusSocketPath)
		if err != nil {
			return err
		}
		printStatus(command.OutOrStdout(), answer, form)
		return nil
	})
}

func tokenCommands() *cobra.Command {
	role, expiry, listed := "worker", "0s", ""
	wait := false
	create := placeFlags()
	create.StringVar(&expiry, "expiry", "0s", "Expiration time of the token. Format 1.5h, 2h45m or 300ms.")
	create.StringVar(&role, "role", "worker", "Either worker or controller")
	create.BoolVar(&wait, "wait", false, "wait forever (default false)")
	list := placeFlags()
	list.StringVar(&listed, "role", "", "Either worker, controller or empty for all roles")
	return group("token", "Manage join tokens",
		command("create", "Create join token", cobra.NoArgs, create, func(command *cobra.Command, v *vars, _ []string) error {
			if err := checkRole(role); err != nil {
				return err
			}
			length, err := time.ParseDuration(expiry)
			if err != nil {
				return err
			}
			for attempt := 0; ; attempt++ {
				text, err := createToken(v, role, length)
				var final refusal
				if err == nil {
					_, _ = fmt.Fprintln(command.OutOrStdout(), text)
					return nil
				}
				if !wait || attempt >= 119 || errors.As(err, &final) {
					return err
				}
				time.Sleep(time.Second)
			}
		}),
		command("invalidate join-token...", "Invalidates existing join token", cobra.MinimumNArgs(1), placeFlags(), func(command *cobra.Command, v *vars, ids []string) error {
			return invalidateTokens(v, ids, command.OutOrStdout())
		}),
		command("list", "List join tokens", cobra.NoArgs, list, func(command *cobra.Command, v *vars, _ []string) error {
			if err := checkRole(listed); err != nil {
				return err
			}
			return listTokens(v, listed, command.OutOrStdout())
		}))
}

func etcdCommands() *cobra.Command {
	address := ""
	leave := placeFlags()
	leave.StringVar(&address, "peer-address", "", "etcd peer address to remove (default <this node's peer address>)")
	return group("etcd", "Manage etcd cluster",
		command("member-list", "List etcd cluster members (JSON encoded)", cobra.NoArgs, placeFlags(), func(command *cobra.Command, v *vars, _ []string) error {
			members, err := listMembers(v)
			if err != nil {
				return err
			}
			return json.NewEncoder(command.OutOrStdout()).Encode(map[string]any{"members": members})
		}),
		command("leave", "Leave the etcd cluster, or remove a specific peer", cobra.NoArgs, leave, func(_ *cobra.Command, v *vars, _ []string) error {
			return removeMember(v, address)
		}))
}

func configCommands() *cobra.Command {
	file := ""
	validate := &cobra.Command{Use: "validate", Short: "Validate k0s configuration", Args: cobra.NoArgs, RunE: func(command *cobra.Command, _ []string) error {
		return validateFile(file, command.InOrStdin())
	}}
	validate.Flags().StringVarP(&file, "config", "c", "", "config file, use '-' to read the config from stdin")
	_ = validate.MarkFlagRequired("config")
	create := &cobra.Command{Use: "create", Short: "Output the default k0s configuration yaml to stdout", Args: cobra.NoArgs, RunE: func(command *cobra.Command, _ []string) error {
		return printDefaults(command.OutOrStdout())
	}}
	create.Flags().Bool("include-images", false, "include the default images in the output")
	return group("config", "Configuration related sub-commands", validate, create)
}

func kubeconfigCommands() *cobra.Command {
	return group("kubeconfig", "Create a kubeconfig file for a specified user",
		command("admin", "Display Admin's Kubeconfig file", cobra.NoArgs, placeFlags(), func(command *cobra.Command, v *vars, _ []string) error {
			config, err := v.nodeConfig()
			if err != nil {
				return err
			}
			var files [3][]byte
			for index, name := range []string{"admin.crt", "admin.key", "ca.crt"} {
				if files[index], err = os.ReadFile(v.pki(name)); err != nil {
					return fmt.Errorf("admin PKI file %q not found, check if the control plane is initialized on this node", v.pki(name))
				}
			}
			content, err := kubeconfig(config.Spec.API.urlFor(config.Spec.API.Port), "Default", "user", files[2], files[0], files[1])
			if err != nil {
				return err
			}
			_, err = command.OutOrStdout().Write(content)
			return err
		}))
}

func installCommands() *cobra.Command {
	var environment []string
	force, start := false, false
	add := func(flags *pflag.FlagSet) {
		flags.StringSliceVarP(&environment, "env", "e", nil, "set environment variable")
		flags.BoolVar(&force, "force", false, "force init script creation")
		flags.BoolVar(&start, "start", false, "start the service immediately after installation")
	}
	controllers, workers := placeFlags(), placeFlags()
	add(controllers)
	add(workers)
	addControllerFlags(controllers, &controllerFlags{})
	addWorkerFlags(workers, &workerFlags{})
	return group("install", "Install k0s on a brand-new system. Must be run as root (or with sudo)",
		command("controller", "Install k0s controller on a brand-new system. Must be run as root (or with sudo)", cobra.NoArgs, controllers, func(command *cobra.Command, v *vars, _ []string) error {
			config, err := v.nodeConfig()
			if err != nil {
				return fmt.Errorf("failed to load node config: %w", err)
			}
			if problems := config.validate(); len(problems) > 0 {
				return fmt.Errorf("invalid node config: %w", errors.Join(problems...))
			}
			return installService("controller", serviceArguments(command), environment, force, start)
		}),
		command("worker", "Install k0s worker on a brand-new system. Must be run as root (or with sudo)", cobra.NoArgs, workers, func(command *cobra.Command, _ *vars, _ []string) error {
			return installService("worker", serviceArguments(command), environment, force, start)
		}))
}

func resetCommand() *cobra.Command {
	flags := placeFlags()
	addConfigFlag(flags)
	flags.String("cri-socket", "", "container runtime socket to use, default to internal containerd. Format: [remote|docker]:[path-to-socket]")
	flags.String("kubelet-root-dir", "", "Kubelet root directory for k0s")
	flags.BoolP("debug", "d", false, "Debug logging")
	return command("reset", "Uninstall k0s. Must be run with elevated privileges", cobra.NoArgs, flags, func(_ *cobra.Command, v *vars, _ []string) error { return reset(v) })
}
