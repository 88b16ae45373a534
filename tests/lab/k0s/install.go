package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"towline.lab/parts"
)

var systemUsers = []string{"etcd", "kube-apiserver", "kube-scheduler", "konnectivity-server"}

func unitFile(role string) string { return "/etc/systemd/system/k0s" + role + ".service" }

func quietly(name string, arguments ...string) error {
	return exec.Command(name, arguments...).Run()
}

// serviceArguments are the flags that were given, with absolute paths.
func serviceArguments(command *cobra.Command) []string {
	var arguments []string
	command.Flags().Visit(func(flag *pflag.Flag) {
		value := flag.Value.String()
		switch flag.Name {
		case "env", "force", "start":
			return
		case "config", "data-dir", "token-file", "kubelet-root-dir":
			value, _ = filepath.Abs(value)
		}
		if flag.Value.Type() == "stringToString" {
			value = strings.Trim(value, "[]")
		}
		if list, isList := flag.Value.(pflag.SliceValue); isList {
			value = strings.Join(list.GetSlice(), ",")
		}
		arguments = append(arguments, "--"+flag.Name+"="+value)
	})
	return arguments
}

// installService is `k0s install`: users of a controller, a unit that is enabled and not started.
func installService(role string, arguments, environment []string, force, start bool) error {
	if os.Geteuid() != 0 {
		return errors.New("this command must be run as root")
	}
	file := unitFile(role)
	if _, err := os.Stat(file); err == nil {
		if !force {
			return fmt.Errorf("failed to install %s service: Init already exists: %s", role, file)
		}
		_ = quietly("systemctl", "disable", "k0s"+role+".service")
		_ = os.Remove(file)
	}
	if role == "controller" {
		for _, user := range systemUsers {
			if quietly("id", user) != nil {
				_ = quietly("useradd", "--home-dir", defaultDataDir, "--shell", "/usr/sbin/nologin", "--system", "--no-create-home", user)
			}
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var unit strings.Builder
	fmt.Fprintf(&unit, "[Unit]\nDescription=k0s - Zero Friction Kubernetes\nDocumentation=https://docs.k0sproject.io\nConditionFileIsExecutable=%s\n\n"+
		"After=network-online.target \nWants=network-online.target \n\n[Service]\nStartLimitInterval=5\nStartLimitBurst=10\n", self)
	fmt.Fprintf(&unit, "ExecStart=%s %s %s\n", self, role, strings.Join(arguments, " "))
	for _, pair := range environment {
		fmt.Fprintf(&unit, "Environment=%q\n", pair)
	}
	unit.WriteString("\nRestartSec=10\nDelegate=yes\nKillMode=process\nLimitCORE=infinity\nTasksMax=infinity\nTimeoutStartSec=0\n" +
		"LimitNOFILE=999999\nRestart=always\n\n[Install]\nWantedBy=multi-user.target\n")
	if err := parts.WriteFileAtomically(file, []byte(unit.String()), 0o644); err != nil {
		return err
	}
	if err := quietly("systemctl", "enable", "k0s"+role+".service"); err != nil {
		return err
	}
	if err := quietly("systemctl", "daemon-reload"); err != nil || !start {
		return err
	}
	return quietly("systemctl", "start", "k0s"+role+".service")
}

// controlService is `k0s start` and `k0s stop`.
func controlService(action string) error {
	for _, role := range []string{"controller", "worker"} {
		if _, err := os.Stat(unitFile(role)); err != nil {
			continue
		}
		state, _ := exec.Command("systemctl", "is-active", "k0s"+role+".service").Output()
		switch text := strings.TrimSpace(string(state)); {
		case action == "start" && (text == "active" || text == "activating"):
			return errors.New("already running")
		case action == "stop" && text == "inactive":
			return errors.New("already stopped")
		case action == "stop" && text == "failed":
			return errors.New("service in failed state")
		}
		return quietly("systemctl", action, "k0s"+role+".service")
	}
	return errors.New("k0s has not been installed as a service")
}

// reset is `k0s reset`: what k0s made on this machine goes, what a user wrote stays.
func reset(v *vars) error {
	if os.Geteuid() != 0 {
		return errors.New("this command must be run as root")
	}
	if isLocked(v.RuntimeConfigPath + ".lock") {
		return fmt.Errorf("%w, please stop k0s before reset", errStillRunning)
	}
	if _, err := v.nodeConfig(); err != nil {
		return err
	}
	var problems []error
	step := func(name string, action func() error) {
		parts.LogInfo("*  %s", name)
		if err := action(); err != nil {
			problems = append(problems, err)
		}
	}
	// It looks for containers by a containerd of its own, and so writes its configuration.
	step("containers steps", writeContainerdConfig)
	step("remove k0s users step:", func() error {
		for _, user := range systemUsers {
			if quietly("id", user) == nil {
				_ = quietly("userdel", user)
			}
		}
		return nil
	})
	step("uninstall service step", func() error {
		for _, role := range []string{"controller", "worker"} {
			if _, err := os.Stat(unitFile(role)); err != nil {
				continue
			}
			_ = quietly("systemctl", "disable", "k0s"+role+".service")
			if err := os.Remove(unitFile(role)); err != nil {
				return err
			}
			parts.LogInfo("uninstalled k0s%s service", role)
			return quietly("systemctl", "daemon-reload")
		}
		return nil
	})
	step("remove directories step", func() error { return v.removeFolders() })
	step("CNI leftovers cleanup step", func() error {
		for _, name := range []string{"10-calico.conflist", "calico-kubeconfig", "10-kuberouter.conflist"} {
			_ = os.Remove(filepath.Join("/etc/cni/net.d", name))
		}
		return nil
	})
	step("kube-bridge leftovers cleanup step", func() error {
		_ = quietly("ip", "link", "delete", "kube-bridge")
		return nil
	})
	parts.LogInfo("k0s cleanup operations done.")
	parts.LogWarning("To ensure a full reset, a node reboot is recommended.")
	if len(problems) > 0 {
		return fmt.Errorf("errors occurred during clean-up: %w", errors.Join(problems...))
	}
	return nil
}

// removeFolders unmounts what lies below the data, and removes it. A folder
// that is a mount of its own is emptied.
func (v *vars) removeFolders() error {
	content, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	isMount := false
	for index := len(lines) - 1; index >= 0; index-- {
		fields := strings.Fields(lines[index])
		if len(fields) < 2 {
			continue
		}
		place := fields[1]
		if place == v.DataDir {
			isMount = true
			continue
		}
		if !strings.HasPrefix(place+"/", v.DataDir+"/") && !strings.HasPrefix(place+"/", v.KubeletRootDir+"/") {
			continue
		}
		if unix.Unmount(place, 0) != nil && unix.Unmount(place, unix.MNT_DETACH) != nil {
			return fmt.Errorf("failed unmount %s", place)
		}
	}
	if err := os.RemoveAll(v.KubeletRootDir); err != nil {
		return fmt.Errorf("failed to delete k0s kubelet root direcotory: %w", err)
	}
	if err := os.RemoveAll(v.DataDir); err != nil && !isMount {
		return fmt.Errorf("failed to delete k0s generated data-dir: %w", err)
	}
	return os.RemoveAll(v.RunDir)
}
