package parts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	remote "k8s.io/cri-client/pkg"
	fakeremote "k8s.io/cri-client/pkg/fake"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
	kubeletoptions "k8s.io/kubernetes/cmd/kubelet/app/options"
	kubeletserver "k8s.io/kubernetes/pkg/kubelet/server"
)

// ParseLabels reads key=value, several of them divided by commas.
func ParseLabels(values []string) map[string]string {
	labels := map[string]string{}
	for _, value := range values {
		for _, part := range strings.Split(value, ",") {
			if name, content, _ := strings.Cut(part, "="); name != "" {
				labels[name] = content
			}
		}
	}
	return labels
}

// ParseTaints reads key=value:effect.
func ParseTaints(values []string) ([]corev1.Taint, error) {
	var taints []corev1.Taint
	for _, value := range values {
		for _, part := range strings.Split(value, ",") {
			left, effect, found := strings.Cut(part, ":")
			if !found || left == "" {
				return nil, fmt.Errorf("invalid taint spec: %s", part)
			}
			name, content, _ := strings.Cut(left, "=")
			switch corev1.TaintEffect(effect) {
			case corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute, corev1.TaintEffectPreferNoSchedule:
			default:
				return nil, fmt.Errorf("invalid taint effect: %s, unsupported taint effect", effect)
			}
			taints = append(taints, corev1.Taint{Key: name, Value: content, Effect: corev1.TaintEffect(effect)})
		}
	}
	return taints, nil
}

// KubeletOptions says what a node's kubelet is to be.
type KubeletOptions struct {
	NodeName           string
	NodeIPs            []string
	Labels             map[string]string
	Taints             []corev1.Taint
	Kubeconfig         string
	RootDirectory      string
	StaticPods         string
	ServingCertificate string // its key lies beside it
	ClusterDNS         []string
	ClusterDomain      string
	ProviderID         string
	ExternalCloud      bool
	// AwaitNetwork keeps the node from Ready until there is a CNI configuration.
	AwaitNetwork bool
	// StateFile keeps the pretended containers over a restart of the service,
	// which leaves real ones running, and loses them at a reboot, as real ones are.
	StateFile string
}

// StartKubelet starts the hollow kubelet, which ends with the process, and returns its client.
func StartKubelet(options KubeletOptions) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", options.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.QPS, config.Burst = 50, 100
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	heartbeat := *config
	heartbeat.Timeout, heartbeat.QPS = 10*time.Second, -1
	heartbeatClient, err := kubernetes.NewForConfig(&heartbeat)
	if err != nil {
		return nil, err
	}
	flags, kubeletConfig, err := hollowConfiguration()
	if err != nil {
		return nil, err
	}
	flags.HostnameOverride, flags.NodeLabels = options.NodeName, options.Labels
	flags.RootDirectory = options.RootDirectory
	flags.CertDirectory = filepath.Join(options.RootDirectory, "pki")
	flags.NodeIP = strings.Join(options.NodeIPs, ",")
	if options.ExternalCloud {
		flags.CloudProvider = "external"
	}
	kubeletConfig.RegisterWithTaints = options.Taints
	kubeletConfig.StaticPodPath = options.StaticPods
	kubeletConfig.PodLogsDir = "/var/log/pods"
	kubeletConfig.ClusterDNS, kubeletConfig.ClusterDomain = options.ClusterDNS, options.ClusterDomain
	kubeletConfig.ProviderID = options.ProviderID
	for _, folder := range []string{kubeletConfig.StaticPodPath, kubeletConfig.PodLogsDir, options.RootDirectory} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	if err := kubeletoptions.ValidateKubeletFlags(flags); err != nil {
		return nil, fmt.Errorf("failed to validate kubelet flags: %w", err)
	}
	endpoint, err := fakeremote.GenerateEndpoint()
	if err != nil {
		return nil, err
	}
	containers := fakeremote.NewFakeRemoteRuntime()
	if err := containers.Start(endpoint); err != nil {
		return nil, err
	}
	usage := []*runtimeapi.FilesystemUsage{{FsId: &runtimeapi.FilesystemIdentifier{Mountpoint: "/"},
		UsedBytes: &runtimeapi.UInt64Value{}, InodesUsed: &runtimeapi.UInt64Value{}}}
	containers.ImageService.SetFakeFilesystemUsage(usage)
	containers.ImageService.SetFakeContainerFilesystemUsage(usage)
	runtimeService, err := remote.NewRemoteRuntimeService(context.Background(), endpoint, 15*time.Second, noop.NewTracerProvider(), false)
	if err != nil {
		return nil, err
	}
	_ = os.Remove(strings.TrimPrefix(endpoint, "unix://")) // connected; nothing to leave behind
	dependencies := hollowDependencies(client, heartbeatClient)
	dependencies.RemoteImageService = containers.ImageService
	dependencies.RemoteRuntimeService = newPretendRuntime(runtimeService, containers.RuntimeService, options)
	dependencies.TLSOptions = &kubeletserver.TLSOptions{
		CertFile: options.ServingCertificate, KeyFile: KeyFileOf(options.ServingCertificate)}
	LogInfo("Running kubelet %s", strings.Join(options.NodeIPs, ","))
	go func() {
		server := &kubeletoptions.KubeletServer{KubeletFlags: *flags, KubeletConfiguration: *kubeletConfig}
		if err := kubeletapp.RunKubelet(context.Background(), server, dependencies); err != nil {
			Fatal("Error: kubelet exited: %v", err)
		}
	}()
	return client, nil
}
