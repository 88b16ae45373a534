package parts

import (
	"context"
	"net"
	"net/http"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apioptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controlleroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// Components are the arguments of the three components.
type Components struct {
	API, ControllerManager, Scheduler []string
}

// ControlPlane holds the parsed options of the three components. The
// components' own commands are not used: their signal contexts cannot live
// twice in one process.
type ControlPlane struct {
	api        *apioptions.ServerRunOptions
	controller *controlleroptions.KubeControllerManagerOptions
	scheduler  *scheduleroptions.Options
	// Stopped is closed when the API server has ended.
	Stopped chan struct{}
}

func parseFlags(sets cliflag.NamedFlagSets, arguments []string) error {
	all := pflag.NewFlagSet("component", pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	all.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	return all.Parse(arguments)
}

// NewControlPlane parses the arguments. There is one per process: the
// components register what they have in common.
func NewControlPlane(arguments Components) (*ControlPlane, error) {
	plane := &ControlPlane{Stopped: make(chan struct{})}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	plane.api = apioptions.NewServerRunOptions()
	if err := parseFlags(plane.api.Flags(), arguments.API); err != nil {
		return nil, err
	}
	var err error
	if plane.controller, err = controlleroptions.NewKubeControllerManagerOptions(); err != nil {
		return nil, err
	}
	flags := plane.controller.Flags(controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases())
	plane.controller.ParsedFlags = &flags
	if err := parseFlags(flags, arguments.ControllerManager); err != nil {
		return nil, err
	}
	plane.scheduler = scheduleroptions.NewOptions()
	if err := parseFlags(*plane.scheduler.Flags, arguments.Scheduler); err != nil {
		return nil, err
	}
	if err := compatibility.DefaultComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	return plane, logsapi.ValidateAndApply(plane.api.Logs, utilfeature.DefaultFeatureGate)
}

// advertisedListener serves one address and claims another: the port that the
// API server writes into the endpoints of `kubernetes` is the one of the
// supervisor's listener, through which it is reached from outside.
type advertisedListener struct {
	net.Listener
	advertised net.Addr
}

func (l advertisedListener) Addr() net.Addr { return l.advertised }

// RunAPI starts the API server, and returns its handler, which a listener in
// front of it may serve too. Where advertisedPort is not 0, the server tells
// of this port instead of its own. The context's end ends it.
func (p *ControlPlane) RunAPI(ctx context.Context, advertisedPort int) (http.Handler, error) {
	completed, err := p.api.Complete(ctx)
	if err != nil {
		return nil, err
	}
	if problems := completed.Validate(); len(problems) > 0 {
		return nil, errors.NewAggregate(problems)
	}
	config, err := apiserver.NewConfig(completed)
	if err != nil {
		return nil, err
	}
	// The old description of the API (version 2) costs a fifth of the start and has no reader here.
	config.KubeAPIs.ControlPlane.Generic.OpenAPIConfig = nil
	config.ApiExtensions.GenericConfig.OpenAPIConfig = nil
	config.Aggregator.GenericConfig.OpenAPIConfig = nil
	if advertisedPort != 0 {
		serving := config.KubeAPIs.ControlPlane.Generic.SecureServing
		serving.Listener = advertisedListener{serving.Listener, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: advertisedPort}}
	}
	completedConfig, err := config.Complete()
	if err != nil {
		return nil, err
	}
	chain, err := apiserver.CreateServerChain(completedConfig)
	if err != nil {
		return nil, err
	}
	prepared, err := chain.PrepareRun()
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(p.Stopped)
		if err := prepared.Run(ctx); err != nil && ctx.Err() == nil {
			Fatal("Error: apiserver exited: %v", err)
		}
	}()
	return chain.GenericAPIServer.Handler, nil
}

// RunControllers starts controller manager and scheduler. They never see
// their context end: a lost or cancelled election ends the process.
func (p *ControlPlane) RunControllers() {
	ctx := context.Background()
	go func() {
		config, err := p.controller.Config(ctx, controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases())
		if err != nil {
			Fatal("Error: controller-manager exited: %v", err)
			return
		}
		err = controllermanager.Run(ctx, config.Complete())
		Fatal("Error: controller-manager exited: %v", err)
	}()
	go func() {
		config, instance, err := scheduler.Setup(ctx, p.scheduler)
		if err != nil {
			Fatal("Error: scheduler exited: %v", err)
			return
		}
		err = scheduler.Run(ctx, config, instance)
		Fatal("Error: scheduler exited: %v", err)
	}()
}
