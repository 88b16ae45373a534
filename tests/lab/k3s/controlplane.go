package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apioptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controlleroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/spf13/pflag"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
)

// controlPlane holds the parsed options of the three components. The
// components' own commands are not used: their signal contexts cannot live
// twice in one process.
type controlPlane struct {
	server     *server
	api        *apioptions.ServerRunOptions
	controller *controlleroptions.KubeControllerManagerOptions
	scheduler  *scheduleroptions.Options
	stopped    chan struct{}
}

func parseFlags(sets cliflag.NamedFlagSets, arguments []string) error {
	all := pflag.NewFlagSet("component", pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	all.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	return all.Parse(arguments)
}

// extraArguments turns kube-apiserver-arg and its like into flags.
func extraArguments(values []string) []string {
	var arguments []string
	for _, value := range values {
		arguments = append(arguments, "--"+strings.TrimPrefix(value, "--"))
	}
	return arguments
}

func newControlPlane(s *server) (*controlPlane, error) {
	plane := &controlPlane{server: s, stopped: make(chan struct{})}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	plane.api = apioptions.NewServerRunOptions()
	chosen := s.settings.options
	if err := parseFlags(plane.api.Flags(), append(plane.apiArguments(), extraArguments(chosen["kube-apiserver-arg"])...)); err != nil {
		return nil, err
	}
	var err error
	if plane.controller, err = controlleroptions.NewKubeControllerManagerOptions(); err != nil {
		return nil, err
	}
	flags := plane.controller.Flags(controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases())
	plane.controller.ParsedFlags = &flags
	if err := parseFlags(flags, append(plane.controllerArguments(), extraArguments(chosen["kube-controller-manager-arg"])...)); err != nil {
		return nil, err
	}
	plane.scheduler = scheduleroptions.NewOptions()
	if err := parseFlags(*plane.scheduler.Flags, append(plane.schedulerArguments(), extraArguments(chosen["kube-scheduler-arg"])...)); err != nil {
		return nil, err
	}
	if err := compatibility.DefaultComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	return plane, logsapi.ValidateAndApply(plane.api.Logs, utilfeature.DefaultFeatureGate)
}

func (p *controlPlane) apiArguments() []string {
	s := p.server.settings
	tls := func(name string) string { return s.serverDir("tls", name) }
	endpoints := p.server.database.apiServerEndpoints()
	arguments := []string{
		"--bind-address=127.0.0.1", "--secure-port=6444",
		"--advertise-address=" + s.advertiseAddress,
		"--allow-privileged=true", "--anonymous-auth=false", "--profiling=false",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + tls("client-ca.crt"),
		"--tls-cert-file=" + tls("serving-kube-apiserver.crt"), "--tls-private-key-file=" + tls("serving-kube-apiserver.key"),
		"--kubelet-certificate-authority=" + tls("server-ca.crt"),
		"--kubelet-client-certificate=" + tls("client-kube-apiserver.crt"), "--kubelet-client-key=" + tls("client-kube-apiserver.key"),
		"--proxy-client-cert-file=" + tls("client-auth-proxy.crt"), "--proxy-client-key-file=" + tls("client-auth-proxy.key"),
		"--requestheader-client-ca-file=" + tls("request-header-ca.crt"), "--requestheader-allowed-names=system:auth-proxy",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--service-account-issuer=https://kubernetes.default.svc." + s.clusterDomain, "--api-audiences=https://kubernetes.default.svc." + s.clusterDomain + ",k3s",
		"--service-account-key-file=" + tls("service.key"), "--service-account-signing-key-file=" + tls("service.key"),
		"--service-cluster-ip-range=" + strings.Join(s.serviceCIDRs, ","), "--service-node-port-range=" + s.nodePortRange,
		"--storage-backend=etcd3", "--etcd-servers=" + endpoints,
		"--shutdown-send-retry-after=true", "--enable-aggregator-routing=true",
		"--cert-dir=" + tls("temporary-certs"),
	}
	if !strings.HasPrefix(endpoints, "unix:") {
		arguments = append(arguments, "--etcd-cafile="+tls("etcd/server-ca.crt"), "--etcd-certfile="+tls("etcd/client.crt"), "--etcd-keyfile="+tls("etcd/client.key"))
	}
	return arguments
}

func (p *controlPlane) controllerArguments() []string {
	s := p.server.settings
	tls := func(name string) string { return s.serverDir("tls", name) }
	kubeconfig := s.serverDir("cred", "controller.kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--secure-port=10257", "--profiling=false",
		"--tls-cert-file=" + tls("serving-kube-apiserver.crt"), "--tls-private-key-file=" + tls("serving-kube-apiserver.key"),
		"--allocate-node-cidrs=true", "--cluster-cidr=" + strings.Join(s.clusterCIDRs, ","),
		"--service-cluster-ip-range=" + strings.Join(s.serviceCIDRs, ","), "--configure-cloud-routes=false",
		"--root-ca-file=" + tls("server-ca.crt"), "--service-account-private-key-file=" + tls("service.key"),
		"--cluster-signing-cert-file=" + tls("client-ca.crt"), "--cluster-signing-key-file=" + tls("client-ca.key"),
		"--node-monitor-grace-period=40s", "--leader-elect=true",
	}
}

func (p *controlPlane) schedulerArguments() []string {
	s := p.server.settings
	kubeconfig := s.serverDir("cred", "scheduler.kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--secure-port=10259", "--profiling=false", "--leader-elect=true",
		"--tls-cert-file=" + s.serverDir("tls", "serving-kube-apiserver.crt"), "--tls-private-key-file=" + s.serverDir("tls", "serving-kube-apiserver.key"),
	}
}

// advertisedListener serves one address and claims another: the port that the
// API server writes into the endpoints of `kubernetes` is the one of the
// supervisor's listener, through which it is reached from outside.
type advertisedListener struct {
	net.Listener
	advertised net.Addr
}

func (l advertisedListener) Addr() net.Addr { return l.advertised }

// runAPI starts the API server and gives its handler to the supervisor.
func (p *controlPlane) runAPI(ctx context.Context) error {
	completed, err := p.api.Complete(ctx)
	if err != nil {
		return err
	}
	if problems := completed.Validate(); len(problems) > 0 {
		return errors.NewAggregate(problems)
	}
	config, err := apiserver.NewConfig(completed)
	if err != nil {
		return err
	}
	// The old description of the API (version 2) costs a fifth of the start and has no reader here.
	config.KubeAPIs.ControlPlane.Generic.OpenAPIConfig = nil
	config.ApiExtensions.GenericConfig.OpenAPIConfig = nil
	config.Aggregator.GenericConfig.OpenAPIConfig = nil
	serving := config.KubeAPIs.ControlPlane.Generic.SecureServing
	serving.Listener = advertisedListener{serving.Listener, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.server.settings.port}}
	completedConfig, err := config.Complete()
	if err != nil {
		return err
	}
	chain, err := apiserver.CreateServerChain(completedConfig)
	if err != nil {
		return err
	}
	prepared, err := chain.PrepareRun()
	if err != nil {
		return err
	}
	p.server.supervisor.setAPI(http.Handler(chain.GenericAPIServer.Handler))
	go func() {
		defer close(p.stopped)
		if err := prepared.Run(ctx); err != nil && !p.server.stopping.Load() {
			fatal("Error: apiserver exited: %v", err)
		}
	}()
	return nil
}

// runControllers starts controller manager and scheduler. They never see
// their context end: a lost or cancelled election ends the process.
func (p *controlPlane) runControllers() {
	ctx := context.Background()
	go func() {
		config, err := p.controller.Config(ctx, controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases())
		if err != nil {
			fatal("Error: controller-manager exited: %v", err)
			return
		}
		err = controllermanager.Run(ctx, config.Complete())
		fatal("Error: controller-manager exited: %v", err)
	}()
	go func() {
		config, instance, err := scheduler.Setup(ctx, p.scheduler)
		if err != nil {
			fatal("Error: scheduler exited: %v", err)
			return
		}
		err = scheduler.Run(ctx, config, instance)
		fatal("Error: scheduler exited: %v", err)
	}()
	if p.server.settings.options.truth("debug") {
		logDebugf("Started components as process %d", os.Getpid())
	}
}
