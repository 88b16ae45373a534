package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubernetes/pkg/kubelet/certificate/bootstrap"

	"towline.lab/parts"
)

// workerFlags are what a worker was started with.
type workerFlags struct {
	token           tokenSource
	labels          map[string]string
	taints          []string
	kubeletArgs     string
	profile         string
	ignorePreflight bool
	cloudProvider   bool
}

// kubeletArgument is the value of a flag in --kubelet-extra-args.
func (f *workerFlags) kubeletArgument(name string) string {
	for _, argument := range strings.Fields(f.kubeletArgs) {
		if value, found := strings.CutPrefix(argument, "--"+name+"="); found {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

func (f *workerFlags) nodeName() (string, error) {
	name := f.kubeletArgument("hostname-override")
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return "", err
		}
	}
	if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
		return "", errors.New("empty hostname is invalid")
	}
	return name, nil
}

func onCgroupV1() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	return err != nil
}

// preflight refuses what k0s refuses first on the lab's machines: control
// groups of the old kind, on a machine that is to be a node.
func preflight(works, ignored bool) error {
	if !works || !onCgroupV1() {
		return nil
	}
	level := "error"
	if ignored {
		level = "warning"
	}
	parts.LogFields(level, "Rejected: cgroup v1 is not supported", "pre-flight-check=os/cgroups property=\"version 1\"")
	if ignored {
		return nil
	}
	return errors.New("pre-flight checks failed, check out `k0s sysinfo`")
}

func runWorker(v *vars, flags *workerFlags) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	parts.EndIfBroken()
	if err := flags.token.check(); err != nil {
		return err
	}
	name, err := flags.nodeName()
	if err != nil {
		return fmt.Errorf("failed to determine node name: %w", err)
	}
	if err := preflight(true, flags.ignorePreflight); err != nil {
		return err
	}
	for _, folder := range []string{v.DataDir, v.BinDir} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := v.takeRuntime(nil); err != nil {
		return fmt.Errorf("failed to initialize runtime config: %w", err)
	}
	defer os.Remove(v.RuntimeConfigPath)
	w := &worker{vars: v, flags: flags, name: name}
	done := make(chan error, 1)
	go func() { done <- w.run(ctx, flags.token.bootstrap) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		// One that was told to end before it had its credentials ends with an error.
		parts.WaitAtMost(5*time.Second, func() { err = <-done })
	}
	if w.status != nil {
		w.status.stop()
	}
	return err
}

// bootstrap is the kubeconfig in a worker's token; none where there is no token.
func (s tokenSource) bootstrap() ([]byte, error) {
	if !s.given() {
		return nil, nil
	}
	text, err := s.read()
	if err != nil {
		return nil, err
	}
	config, user, err := decodeToken(text)
	if err != nil {
		return nil, errors.New(strings.Replace(err.Error(), "failed to decode token", "failed to decode join token", 1))
	}
	if user != workerUser {
		return nil, fmt.Errorf("wrong token type %s, expected type: %s", user, workerUser)
	}
	return clientcmd.Write(*config)
}

// worker is one `k0s worker`, or the part of a controller that is a node.
type worker struct {
	vars   *vars
	flags  *workerFlags
	name   string
	inside bool // a controller
	single bool
	status *statusServer
}

func (c *controller) runOwnWorker(ctx context.Context) error {
	flags := c.flags.worker
	labels := map[string]string{roleLabel: "control-plane"}
	for name, value := range flags.labels {
		labels[name] = value
	}
	flags.labels = labels
	flags.labels[roleLabel] = "control-plane"
	if c.flags.enableWorker && !c.flags.single && !c.flags.noTaints {
		flags.taints = append(flags.taints, "node-role.kubernetes.io/control-plane:NoSchedule")
	}
	w := &worker{vars: c.vars, flags: &flags, name: c.nodeName, inside: true, single: c.flags.single}
	return w.run(ctx, func() ([]byte, error) { return os.ReadFile(c.vars.AdminKubeConfigPath) })
}

func (w *worker) run(ctx context.Context, source func() ([]byte, error)) error {
	if err := w.bootstrap(ctx, source); err != nil {
		return fmt.Errorf("failed to bootstrap kubelet client configuration: %w", err)
	}
	profile, err := w.loadProfile(ctx)
	if err != nil {
		return err
	}
	kubeconfig := w.vars.KubeletAuthConfigPath
	switch {
	case w.inside:
		kubeconfig, err = w.redirected("kubelet-direct.conf", "https://127.0.0.1:"+strconv.Itoa(profile.port))
	case profile.balancing.Enabled:
		kubeconfig, err = w.balance(ctx, profile)
	}
	if err != nil {
		return err
	}
	client, err := w.startKubelet(kubeconfig, profile)
	if err != nil {
		return fmt.Errorf("failed to start worker components: %w", err)
	}
	if w.inside {
		parts.LogInfo("Controller has started")
	} else {
		w.status, err = serveStatus(w.vars.StatusSocketPath, kubeconfig, statusAnswer{Version: Version, Pid: os.Getpid(), Role: "worker",
			Workloads: true, Args: os.Args, K0sVars: w.vars})
		if err != nil {
			return err
		}
		parts.LogInfo("Worker has started")
		go parts.TidyMemory()
	}
	_ = client
	<-ctx.Done()
	return nil
}

// bootstrap gets the kubelet's credentials. While the API cannot be reached or
// refuses the token, only the kubelet's own words are in the journal: ten
// attempts of up to a minute each, with pauses that double.
func (w *worker) bootstrap(ctx context.Context, source func() ([]byte, error)) error {
	if _, err := os.Stat(w.vars.KubeletAuthConfigPath); err == nil {
		return nil
	}
	content, err := source()
	if err != nil {
		return fmt.Errorf("failed to get bootstrap kubeconfig: %w", err)
	}
	if content == nil {
		return errors.New("neither regular nor bootstrap kubeconfig files exist and no join token given; dunno how to make kubelet authenticate to API server")
	}
	file, err := os.CreateTemp("/run", "k0s-*-kubelet-bootstrap-kubeconfig")
	if err != nil {
		return fmt.Errorf("failed to write bootstrap kubeconfig: %w", err)
	}
	defer os.Remove(file.Name())
	if _, err := file.Write(content); err != nil {
		return fmt.Errorf("failed to write bootstrap kubeconfig: %w", err)
	}
	_ = file.Close()
	parts.LogInfo("Bootstrapping client configuration")
	err = repeatedly(ctx, 10, time.Second, time.Hour, func() error {
		short, cancel := context.WithTimeout(ctx, patient(15*time.Minute))
		defer cancel()
		return bootstrap.LoadClientCert(short, w.vars.KubeletAuthConfigPath, file.Name(), filepath.Join(w.vars.KubeletRootDir, "pki"), types.NodeName(w.name))
	})
	if err != nil {
		return fmt.Errorf("failed to bootstrap client configuration: %w", err)
	}
	parts.LogInfo("Successfully bootstrapped client configuration")
	return nil
}

// profile is what the cluster tells its workers.
type profile struct {
	servers   []string
	kubelet   map[string]any
	balancing nllbSpec
	port      int
}

func (w *worker) loadProfile(ctx context.Context) (*profile, error) {
	access, err := clientcmd.BuildConfigFromFlags("", w.vars.KubeletAuthConfigPath)
	if err != nil {
		return nil, fmt.Errorf("failed to create Kubernetes client config: %w", err)
	}
	cache := filepath.Join(w.vars.DataDir, "worker-profile.yaml")
	hosts := []string{access.Host}
	var kept map[string]string
	if content, err := os.ReadFile(cache); err == nil && json.Unmarshal(content, &kept) == nil {
		if known, err := readProfile(kept); err == nil && known.balancing.Enabled {
			for _, server := range known.servers {
				hosts = append(hosts, "https://"+server)
			}
		}
	}
	var data map[string]string
	err = repeatedly(ctx, 10, 500*time.Millisecond, time.Hour, func() error {
		var failed error
		for _, host := range hosts {
			one := *access
			one.Host = host
			client, err := kubernetes.NewForConfig(&one)
			if err != nil {
				return err
			}
			short, cancel := context.WithTimeout(ctx, 10*time.Second)
			found, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(short, profileName(w.flags.profile), metav1.GetOptions{})
			cancel()
			if err == nil {
				data = found.Data
				return nil
			}
			failed = err
		}
		return failed
	})
	if err != nil {
		if apierrors.IsUnauthorized(err) {
			err = fmt.Errorf("the k0s worker node credentials are invalid, the node needs to be rejoined into the cluster with a fresh bootstrap token: %w", err)
		}
		return nil, err
	}
	content, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	if err := parts.WriteFileAtomically(cache, content, 0o644); err != nil {
		return nil, err
	}
	return readProfile(data)
}

func readProfile(data map[string]string) (*profile, error) {
	found := &profile{port: 6443}
	for key, into := range map[string]any{"apiServerAddresses": &found.servers, "kubeletConfiguration": &found.kubelet, "nodeLocalLoadBalancing": &found.balancing} {
		if text, given := data[key]; given {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	if len(found.servers) > 0 {
		if _, port, err := net.SplitHostPort(found.servers[0]); err == nil {
			found.port, _ = strconv.Atoi(port)
		}
	}
	return found, nil
}

// redirected is the kubelet's kubeconfig with another server, below /run/k0s.
func (w *worker) redirected(name, server string) (string, error) {
	config, err := clientcmd.LoadFromFile(w.vars.KubeletAuthConfigPath)
	if err != nil {
		return "", err
	}
	for _, cluster := range config.Clusters {
		cluster.Server = server
	}
	content, err := clientcmd.Write(*config)
	if err != nil {
		return "", err
	}
	file := filepath.Join(w.vars.RunDir, name)
	return file, parts.WriteFileAtomically(file, content, 0o600)
}

// balance stands for the load balancer that k0s runs in a static pod.
func (w *worker) balance(ctx context.Context, known *profile) (string, error) {
	config, err := clientcmd.LoadFromFile(w.vars.KubeletAuthConfigPath)
	if err != nil {
		return "", err
	}
	server := ""
	for _, cluster := range config.Clusters {
		server = cluster.Server
	}
	if _, err := url.Parse(server); err != nil {
		return "", err
	}
	const local = "127.0.0.1:7443"
	balancer, err := parts.StartLoadBalancer(ctx, "nllb", local, server, filepath.Join(w.vars.RunDir, "nllb", "servers.json"))
	if err != nil {
		return "", err
	}
	balancer.Update(known.servers)
	kubeconfig, err := w.redirected("nllb/kubeconfig.yaml", "https://"+local)
	if err != nil {
		return "", err
	}
	access, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return "", err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return "", err
	}
	go func() {
		for parts.Pause(ctx, 5*time.Second) {
			short, cancel := context.WithTimeout(ctx, 10*time.Second)
			found, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(short, profileName(w.flags.profile), metav1.GetOptions{})
			cancel()
			if err != nil {
				continue
			}
			if fresh, err := readProfile(found.Data); err == nil {
				balancer.Update(fresh.servers)
				if content, err := json.Marshal(found.Data); err == nil {
					_ = parts.WriteFileAtomically(filepath.Join(w.vars.DataDir, "worker-profile.yaml"), content, 0o644)
				}
			}
		}
	}()
	return kubeconfig, nil
}
