package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"towline.lab/parts"
)

// controllerFlags are what a controller was started with.
type controllerFlags struct {
	worker            workerFlags
	enableWorker      bool
	single            bool
	noTaints          bool
	disableComponents []string
}

func (f *controllerFlags) works() bool { return f.enableWorker || f.single }

func (f *controllerFlags) disabled(component string) bool {
	return slices.Contains(f.disableComponents, component)
}

// components can be named by --disable-components.
var components = []string{"applier-manager", "autopilot", "control-api", "coredns", "csr-approver", "endpoint-reconciler", "helm",
	"konnectivity-server", "kube-controller-manager", "kube-proxy", "kube-scheduler", "metrics-server", "network-provider", "node-role",
	"system-rbac", "update-prober", "windows-node", "worker-config"}

// controller is one `k0s controller`.
type controller struct {
	vars       *vars
	flags      *controllerFlags
	config     *clusterConfig
	nodeName   string
	memberName string
	join       *joinClient
	etcd       *etcdRunner
	plane      *parts.ControlPlane
	cancelAPI  context.CancelFunc
	elections  sync.WaitGroup
	// cancelLeases gives the leases back, which needs the API.
	cancelLeases context.CancelFunc
	admin        *kubernetes.Clientset
	status       *statusServer
	leader       *election
	leaves       bool
	started      atomic.Bool
}

// leftVariable tells a process that it only waits for its end: what k0s is
// after it was asked to leave the etcd cluster.
const leftVariable = "K0S_STANDIN_LEFT"

func runController(v *vars, flags *controllerFlags) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if os.Getenv(leftVariable) != "" {
		if err := v.takeRuntime(nil); err != nil {
			return err
		}
		parts.LogInfo("Awaiting process shutdown")
		<-ctx.Done()
		return nil
	}
	parts.EndIfBroken()
	if err := flags.worker.token.check(); err != nil {
		return err
	}
	for _, name := range flags.disableComponents {
		if !slices.Contains(components, name) {
			return fmt.Errorf("unknown component %s", name)
		}
	}
	if err := preflight(flags.works(), flags.worker.ignorePreflight); err != nil {
		return err
	}
	config, err := v.nodeConfig()
	if err != nil {
		return fmt.Errorf("failed to load node config: %w", err)
	}
	if problems := config.validate(); len(problems) > 0 {
		return fmt.Errorf("invalid node config: %w", errors.Join(problems...))
	}
	for folder, mode := range map[string]os.FileMode{v.DataDir: 0o755, v.BinDir: 0o755, v.CertRootDir: 0o751, v.ManifestsDir: 0o755} {
		if err := os.MkdirAll(folder, mode); err != nil {
			return err
		}
	}
	if err := v.takeRuntime(config); err != nil {
		return fmt.Errorf("failed to initialize runtime config: %w", err)
	}
	defer os.Remove(v.RuntimeConfigPath)
	c := &controller{vars: v, flags: flags, config: config}
	done := make(chan error, 1)
	go func() { done <- c.run(ctx) }()
	select {
	case err = <-done:
	case <-ctx.Done():
	}
	c.shutdown()
	if ctx.Err() != nil && c.started.Load() {
		return nil
	}
	if err == nil && ctx.Err() != nil {
		return fmt.Errorf("failed to start controller node components: %w", ctx.Err())
	}
	return err
}

// joined says whether this controller has its place in a cluster already.
func (c *controller) joined() bool {
	if c.config.Spec.Storage.Type == "etcd" {
		return c.vars.etcdHasData()
	}
	_, errKey := os.Stat(c.vars.pki("ca.key"))
	_, errCertificate := os.Stat(c.vars.pki("ca.crt"))
	return errKey == nil && errCertificate == nil
}

func (c *controller) run(ctx context.Context) error {
	if !c.joined() {
		text, err := c.flags.worker.token.read()
		if err != nil {
			return err
		}
		if text != "" {
			if c.join, err = c.vars.joinCluster(text); err != nil {
				return fmt.Errorf("failed to join controller: %w", err)
			}
		}
	}
	api := c.config.Spec.API
	parts.LogInfo("using api address: %s", api.Address)
	parts.LogInfo("using listen port: %d", api.Port)
	parts.LogInfo("using sans: %v", api.SANs)
	parts.LogInfo("using storage backend %s", c.config.Spec.Storage.Type)
	var err error
	if c.nodeName, err = c.flags.worker.nodeName(); err != nil {
		return fmt.Errorf("failed to determine node name: %w", err)
	}
	if c.flags.single && c.config.balances() {
		return errors.New("node-local load balancing cannot be used in a single-node cluster")
	}
	if err := c.vars.issueCertificates(c.config); err != nil {
		return err
	}
	if err := c.startComponents(ctx); err != nil {
		return fmt.Errorf("failed to start controller node components: %w", err)
	}
	c.started.Store(true)
	if err := c.startCluster(ctx); err != nil {
		return fmt.Errorf("failed to start cluster components: %w", err)
	}
	go parts.TidyMemory()
	if c.flags.works() {
		return c.runOwnWorker(ctx)
	}
	parts.LogInfo("Controller has started")
	<-ctx.Done()
	return nil
}

// gate waits until a component is ready, two minutes at most.
func gate(name string, ready func() error) error {
	end := time.Now().Add(gateTime())
	for {
		if ready() == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s health-check timed out", name)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// startComponents starts what each controller has, one after another: the
// datastore, the API server, the joins, and the status at last.
func (c *controller) startComponents(ctx context.Context) error {
	storage, start := "Etcd", c.startEtcd
	if c.config.Spec.Storage.Type == "kine" {
		storage, start = "Kine", c.startKine
	}
	if err := start(); err != nil {
		return err
	}
	if err := gate(storage, c.etcdReady); err != nil {
		return err
	}
	if !c.flags.single && !c.flags.disabled("konnectivity-server") {
		if err := c.listenForAgents(); err != nil {
			return err
		}
	}
	parts.LogInfo("Starting kube-apiserver")
	failed := c.startAPI()
	if err := gate("APIServer", func() error {
		if failed != nil {
			return failed
		}
		return c.apiReady(ctx)
	}); err != nil {
		return err
	}
	var err error
	if c.admin, err = c.vars.adminClient(); err != nil {
		return err
	}
	c.startLeases(ctx)
	if !c.flags.disabled("control-api") && c.config.Spec.Storage.joinable() {
		if err := c.serveJoins(c.admin); err != nil {
			return err
		}
	}
	c.status, err = serveStatus(c.vars.StatusSocketPath, c.vars.KubeletAuthConfigPath, statusAnswer{
		Version: Version, Pid: os.Getpid(), Role: "controller", Workloads: c.flags.works(), SingleNode: c.flags.single,
		Args: os.Args, ClusterConfig: c.config, K0sVars: c.vars,
	})
	return err
}

// listenForAgents holds the port of konnectivity, which has no users here.
func (c *controller) listenForAgents() error {
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(c.config.Spec.Konnectivity.AgentPort)))
	if err != nil {
		return err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
		}
	}()
	return nil
}

// startAPI starts the API server. What it complains of stands in the journal;
// k0s only sees that it does not get ready.
func (c *controller) startAPI() error {
	plane, err := parts.NewControlPlane(c.arguments())
	// Kubernetes has one log for all components of a process.
	klog.ClearLogger()
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	klog.SetOutputBySeverity("INFO", journal{"kube-apiserver"}) // which gets the graver lines, too
	if err == nil {
		c.plane = plane
		var ctx context.Context
		ctx, c.cancelAPI = context.WithCancel(context.Background())
		_, err = plane.RunAPI(ctx, 0)
	}
	if err != nil {
		parts.LogComponent("kube-apiserver", "Error: "+err.Error())
	}
	return err
}

func (c *controller) apiReady(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", c.vars.AdminKubeConfigPath)
	if err != nil {
		return err
	}
	config.Host = "https://" + net.JoinHostPort(c.config.Spec.API.Address, strconv.Itoa(c.config.Spec.API.Port))
	config.Timeout = 2 * time.Second
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	answer, err := transport.Get(config.Host + "/readyz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return fmt.Errorf("expected 200 for api server ready check, got %d", answer.StatusCode)
	}
	return ctx.Err()
}

// shutdown stops what was started, the last first.
func (c *controller) shutdown() {
	parts.LogInfo("Shutting down k0s")
	if c.status != nil {
		c.status.stop()
	}
	if c.cancelLeases != nil {
		c.cancelLeases()
		parts.WaitAtMost(3*time.Second, c.elections.Wait)
	}
	if c.cancelAPI != nil {
		c.cancelAPI()
		parts.WaitAtMost(2*time.Second, func() { <-c.plane.Stopped })
	}
	if c.leaves {
		c.removeOwnMember()
	}
	if c.etcd != nil {
		c.etcd.stop()
	}
}

// leave stops all components and takes this member out of the etcd cluster.
// The process stays, and waits for its end: it becomes one that only does so.
func (c *controller) leave() {
	parts.LogInfo("Will leave etcd cluster before shutting down")
	c.leaves = true
	c.shutdown()
	self, err := os.Executable()
	if err == nil {
		err = syscall.Exec(self, os.Args, append(os.Environ(), leftVariable+"=1"))
	}
	parts.Fatal("Error: %v", err)
}

func (c *controller) removeOwnMember() {
	client, err := c.vars.etcdClient()
	if err != nil {
		parts.LogError("failed to initialize etcd client: %v", err)
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	status, err := client.Status(ctx, client.Endpoints()[0])
	if err == nil {
		_, err = client.MemberRemove(ctx, status.Header.MemberId)
	}
	if err != nil {
		parts.LogError("Failed to remove member: %v", err)
		return
	}
	parts.LogInfo("Left the cluster")
}
