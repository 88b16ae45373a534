package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	remote "k8s.io/cri-client/pkg"
	fakeremote "k8s.io/cri-client/pkg/fake"
	kubeletoptions "k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	kubeletserver "k8s.io/kubernetes/pkg/kubelet/server"
	"k8s.io/kubernetes/pkg/kubemark"
)

// nodeRequest is what a node asks its server for.
type nodeRequest struct {
	Name      string
	Password  string
	Addresses []string
}

// nodeCredentials is the answer: certificates and the cluster's settings.
type nodeCredentials struct {
	ClientCertificate, ClientKey   []byte
	ServingCertificate, ServingKey []byte
	ClientCA, ServerCA             []byte
	ClusterDNS                     []string
	ClusterDomain                  string
	FlannelBackend                 string
	DisableNPC                     bool
}

// issueNodeCredentials checks the node's password and signs its certificates.
func (s *server) issueNodeCredentials(ctx context.Context, request nodeRequest) (*nodeCredentials, error) {
	if err := ensureNodePassword(ctx, s.nodes.client, request.Name, request.Password); err != nil {
		return nil, err
	}
	clientAuthority, err := loadAuthority(s.settings.serverDir("tls", "client-ca.crt"))
	if err != nil {
		return nil, err
	}
	serverAuthority, err := loadAuthority(s.settings.serverDir("tls", "server-ca.crt"))
	if err != nil {
		return nil, err
	}
	answer := &nodeCredentials{ClientCA: clientAuthority.certificatePEM, ServerCA: serverAuthority.certificatePEM,
		ClusterDNS: s.settings.clusterDNS, ClusterDomain: s.settings.clusterDomain}
	critical := s.settings.critical()
	answer.FlannelBackend, answer.DisableNPC = critical.FlannelBackend, critical.DisableNPC
	answer.ClientCertificate, answer.ClientKey, err = clientAuthority.issue(certificateRequest{
		name: "system:node:" + request.Name, groups: []string{"system:nodes"}, client: true})
	if err != nil {
		return nil, err
	}
	answer.ServingCertificate, answer.ServingKey, err = serverAuthority.issue(certificateRequest{
		name: request.Name, server: true, names: append([]string{request.Name, "localhost", "127.0.0.1"}, request.Addresses...)})
	return answer, err
}

// write lays the credentials out below agent/ under k3s's names.
func (n *nodeCredentials) write(s *settings) error {
	for name, content := range map[string][]byte{
		"client-kubelet.crt": n.ClientCertificate, "client-kubelet.key": n.ClientKey,
		"serving-kubelet.crt": n.ServingCertificate, "serving-kubelet.key": n.ServingKey,
		"client-ca.crt": n.ClientCA, "server-ca.crt": n.ServerCA,
	} {
		if err := writeFileAtomically(s.agentDir(name), content, 0o600); err != nil {
			return err
		}
	}
	content, err := kubeconfigWithFiles("https://"+apiServerLocal, s.agentDir("server-ca.crt"), s.agentDir("client-kubelet.crt"))
	if err != nil {
		return err
	}
	return writeFileAtomically(s.agentDir("kubelet.kubeconfig"), content, 0o600)
}

// runOwnNode registers the server's own node once its API answers.
func (s *server) runOwnNode(ctx context.Context) {
	password, err := ownNodePassword()
	if err != nil {
		fatal("Error: %v", err)
	}
	request := nodeRequest{Name: s.settings.nodeName, Password: password, Addresses: s.settings.nodeIPs}
	for ctx.Err() == nil {
		credentials, err := s.issueNodeCredentials(ctx, request)
		if err == nil {
			if err = credentials.write(s.settings); err == nil {
				_, err = startKubelet(ctx, s.settings, credentials)
			}
			if err != nil {
				fatal("Error: kubelet exited: %v", err)
			}
			return
		}
		logInfo("Waiting to retrieve agent configuration; server is not ready: %v", err)
		time.Sleep(5 * time.Second)
	}
}

func parseLabels(values []string) map[string]string {
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

func parseTaints(values []string) ([]corev1.Taint, error) {
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

// kubeletArgument is the value of a flag in kubelet-arg; the last one counts.
func kubeletArgument(chosen options, name string) string {
	value := ""
	for _, argument := range chosen["kubelet-arg"] {
		if own, text, _ := strings.Cut(strings.TrimLeft(argument, "-"), "="); own == name {
			value = text
		}
	}
	return value
}

// startKubelet starts the hollow kubelet and tells the server of the node's
// addresses. It returns the kubelet's client.
func startKubelet(ctx context.Context, s *settings, credentials *nodeCredentials) (*kubernetes.Clientset, error) {
	taints, err := parseTaints(s.options["node-taint"])
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.agentDir("kubelet.kubeconfig"))
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
	hollow := &kubemark.HollowKubeletOptions{NodeName: s.nodeName, KubeletPort: 10250, MaxPods: 110,
		NodeLabels: parseLabels(s.options["node-label"]), RegisterWithTaints: taints}
	flags, kubeletConfig := kubemark.GetHollowKubeletConfig(hollow)
	_ = os.RemoveAll(flags.RootDirectory) // its temporary folder
	root := orDefault(kubeletArgument(s.options, "root-dir"), "/var/lib/kubelet")
	flags.RootDirectory = root
	flags.CertDirectory = filepath.Join(root, "pki")
	flags.NodeIP = strings.Join(s.nodeIPs, ",")
	if !s.options.truth("disable-cloud-controller") {
		flags.CloudProvider = "external"
	}
	kubeletConfig.StaticPodPath = s.agentDir("pod-manifests")
	kubeletConfig.PodLogsDir = "/var/log/pods"
	kubeletConfig.ClusterDNS, kubeletConfig.ClusterDomain = credentials.ClusterDNS, credentials.ClusterDomain
	kubeletConfig.ProviderID = "k3s://" + s.nodeName
	kubeletConfig.MaxOpenFiles = 1000000
	kubeletConfig.ResolverConfig = ""
	kubeletConfig.EvictionHard = nil // pods without containers use no disk
	for _, folder := range []string{kubeletConfig.StaticPodPath, kubeletConfig.PodLogsDir, root} {
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
	runtime := fakeremote.NewFakeRemoteRuntime()
	if err := runtime.Start(endpoint); err != nil {
		return nil, err
	}
	usage := []*runtimeapi.FilesystemUsage{{FsId: &runtimeapi.FilesystemIdentifier{Mountpoint: "/"},
		UsedBytes: &runtimeapi.UInt64Value{}, InodesUsed: &runtimeapi.UInt64Value{}}}
	runtime.ImageService.SetFakeFilesystemUsage(usage)
	runtime.ImageService.SetFakeContainerFilesystemUsage(usage)
	runtimeService, err := remote.NewRemoteRuntimeService(context.Background(), endpoint, 15*time.Second, noop.NewTracerProvider(), false)
	if err != nil {
		return nil, err
	}
	_ = os.Remove(strings.TrimPrefix(endpoint, "unix://")) // connected; nothing to leave behind
	kubelet := kubemark.NewHollowKubelet(flags, kubeletConfig, client, heartbeatClient, &machine{},
		runtime.ImageService, newPretendRuntime(runtimeService, runtime.RuntimeService, credentials.FlannelBackend), cm.NewStubContainerManager())
	kubelet.KubeletDeps.TLSOptions = &kubeletserver.TLSOptions{
		CertFile: s.agentDir("serving-kubelet.crt"), KeyFile: s.agentDir("serving-kubelet.key")}
	logInfo("Running kubelet %s", strings.Join(s.nodeIPs, ","))
	go kubelet.Run(context.Background()) // it ends with the process
	go annotateNode(ctx, client, s)
	return client, nil
}

// annotateNode waits for the node and tells what the cloud controller on the
// servers needs (k3s: pkg/agent/run.go).
func annotateNode(ctx context.Context, client kubernetes.Interface, s *settings) {
	annotations := map[string]string{
		annotationInternalIP: strings.Join(s.nodeIPs, ","),
		annotationHostname:   s.nodeName,
		annotationArguments:  nodeArguments(os.Args[1:], s.options),
	}
	if len(s.externalIPs) > 0 {
		annotations[annotationExternalIP] = strings.Join(s.externalIPs, ",")
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return
	}
	for ctx.Err() == nil {
		if _, err := client.CoreV1().Nodes().Patch(ctx, s.nodeName, types.MergePatchType, patch, metav1.PatchOptions{}); err == nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// nodeArguments is the annotation k3s.io/node-args: the effective flags,
// secrets hidden.
func nodeArguments(arguments []string, chosen options) string {
	var shown []string
	if len(arguments) > 0 {
		shown = append(shown, arguments[0])
	}
	for _, argument := range configArguments(chosen) {
		name, value, _ := strings.Cut(argument, "=")
		switch strings.TrimPrefix(name, "--") {
		case "token", "agent-token", "etcd-s3-access-key", "etcd-s3-secret-key", "datastore-endpoint", "vpn-auth":
			value = "********"
		}
		shown = append(shown, name, value)
	}
	content, _ := json.Marshal(shown)
	return string(content)
}
