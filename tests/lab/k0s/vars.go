package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"towline.lab/parts"
)

// Version is what this program calls itself; it is the version string of the
// k0s release it stands in for. Nodes report it without its last number.
var Version = "v1.36.3+k0s.2"

const (
	defaultDataDir    = "/var/lib/k0s"
	defaultConfigFile = "/etc/k0s/k0s.yaml"
	knobFolder        = "/etc/k0s-standin"
	minorVersion      = "1.36"
)

var (
	errNotRunning   = errors.New("k0s is not running")
	errStillRunning = errors.New("another k0s process is still running")
)

// vars are the places of a k0s, with the names under which `k0s status` shows them.
type vars struct {
	InvocationID          string
	AdminKubeConfigPath   string
	BinDir                string
	CertRootDir           string
	DataDir               string
	KubeletRootDir        string
	EtcdCertDir           string
	EtcdDataDir           string
	KubeletAuthConfigPath string
	ManifestsDir          string
	RunDir                string
	OCIBundleDir          string
	DefaultStorageType    string
	RuntimeConfigPath     string
	StatusSocketPath      string
	StartupConfigPath     string
}

func newVars(dataDir, kubeletDir, socket, configFile string, single bool) (*vars, error) {
	dataDir, err := filepath.Abs(parts.OrDefault(dataDir, defaultDataDir))
	if err != nil {
		return nil, fmt.Errorf("invalid datadir: %w", err)
	}
	if kubeletDir, err = filepath.Abs(parts.OrDefault(kubeletDir, filepath.Join(dataDir, "kubelet"))); err != nil {
		return nil, err
	}
	const run = "/run/k0s"
	pki := filepath.Join(dataDir, "pki")
	v := &vars{
		InvocationID:          parts.RandomHex(16),
		AdminKubeConfigPath:   filepath.Join(pki, "admin.conf"),
		BinDir:                filepath.Join(dataDir, "bin"),
		CertRootDir:           pki,
		DataDir:               dataDir,
		KubeletRootDir:        kubeletDir,
		EtcdCertDir:           filepath.Join(pki, "etcd"),
		EtcdDataDir:           filepath.Join(dataDir, "etcd"),
		KubeletAuthConfigPath: filepath.Join(dataDir, "kubelet.conf"),
		ManifestsDir:          filepath.Join(dataDir, "manifests"),
		RunDir:                run,
		OCIBundleDir:          filepath.Join(dataDir, "images"),
		DefaultStorageType:    "etcd",
		RuntimeConfigPath:     filepath.Join(run, "k0s.yaml"),
		StatusSocketPath:      parts.OrDefault(socket, filepath.Join(run, "status.sock")),
		StartupConfigPath:     parts.OrDefault(configFile, defaultConfigFile),
	}
	if single {
		v.DefaultStorageType = "kine"
	}
	return v, nil
}

func (v *vars) pki(parts ...string) string {
	return filepath.Join(append([]string{v.CertRootDir}, parts...)...)
}

// varsOf are those of the running k0s, else those that the flags of a command ask for.
func varsOf(command *cobra.Command) (*vars, error) {
	text := func(name string) string { value, _ := command.Flags().GetString(name); return value }
	single, _ := command.Flags().GetBool("single")
	asked, err := newVars(text("data-dir"), text("kubelet-root-dir"), text("status-socket"), text("config"), single)
	if err != nil {
		return nil, err
	}
	if running, err := loadRuntime(asked.RuntimeConfigPath); err == nil {
		return running, nil
	}
	return asked, nil
}

// runtimeConfig is the file of a running k0s: JSON, which YAML's readers understand.
type runtimeConfig struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Spec       runtimeSpec `json:"spec"`
}

type runtimeSpec struct {
	NodeConfig *clusterConfig `json:"nodeConfig,omitempty"`
	K0sVars    *vars          `json:"k0sVars"`
}

func loadRuntime(file string) (*vars, error) {
	if !isLocked(file + ".lock") {
		return nil, errNotRunning
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var found runtimeConfig
	if err := json.Unmarshal(content, &found); err != nil || found.Spec.K0sVars == nil {
		return nil, errors.New("invalid runtime configuration")
	}
	return found.Spec.K0sVars, nil
}

func isLocked(file string) bool {
	opened, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer opened.Close()
	return unix.Flock(int(opened.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}

// takeRuntime holds the lock of a running k0s as long as the process lives, and writes the file beside it.
func (v *vars) takeRuntime(config *clusterConfig) error {
	if err := os.MkdirAll(v.RunDir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(v.RuntimeConfigPath+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		_ = lock.Close()
		return errStillRunning
	}
	heldLock = lock
	content, err := json.Marshal(runtimeConfig{"k0s.k0sproject.io/v1beta1", "RuntimeConfig", runtimeSpec{config, v}})
	if err != nil {
		return err
	}
	return parts.WriteFileAtomically(v.RuntimeConfigPath, content, 0o600)
}

// heldLock keeps the file of the lock from being closed.
var heldLock *os.File

// knob reads a number from a file of the machine.
func knob(name string, fallback float64) float64 {
	content, _ := os.ReadFile(filepath.Join(knobFolder, name))
	if number, err := strconv.ParseFloat(strings.TrimSpace(string(content)), 64); err == nil && number > 0 {
		return number
	}
	return fallback
}

// patient is a waiting time of k0s, scaled by the knob `patience`.
func patient(length time.Duration) time.Duration {
	return time.Duration(float64(length) * knob("patience", 1))
}

// gateTime is how long each component of a controller may take to get ready.
func gateTime() time.Duration { return patient(2 * time.Minute) }

// repeatedly is k0s's retrying: so many attempts, with pauses that double up
// to a longest. Each attempt has its limit.
func repeatedly(ctx context.Context, attempts int, pause, longest time.Duration, attempt func() error) error {
	var err error
	for count := range attempts {
		if err = attempt(); err == nil {
			return nil
		}
		if count+1 < attempts && !parts.Pause(ctx, patient(min(pause<<count, longest))) {
			return ctx.Err()
		}
	}
	return err
}
