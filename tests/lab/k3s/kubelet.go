package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"towline.lab/parts"
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
	clientAuthority, err := parts.LoadAuthority(s.settings.serverDir("tls", "client-ca.crt"))
	if err != nil {
		return nil, err
	}
	serverAuthority, err := parts.LoadAuthority(s.settings.serverDir("tls", "server-ca.crt"))
	if err != nil {
		return nil, err
	}
	answer := &nodeCredentials{ClientCA: clientAuthority.CertificatePEM, ServerCA: serverAuthority.CertificatePEM,
		ClusterDNS: s.settings.clusterDNS, ClusterDomain: s.settings.clusterDomain}
	critical := s.settings.critical()
	answer.FlannelBackend, answer.DisableNPC = critical.FlannelBackend, critical.DisableNPC
	answer.ClientCertificate, answer.ClientKey, err = clientAuthority.Issue(parts.CertificateRequest{
		Name: "system:node:" + request.Name, Groups: []string{"system:nodes"}, Client: true})
	if err != nil {
		return nil, err
	}
	answer.ServingCertificate, answer.ServingKey, err = serverAuthority.Issue(parts.CertificateRequest{
		Name: request.Name, Server: true, Names: append([]string{request.Name, "localhost", "127.0.0.1"}, request.Addresses...)})
	return answer, err
}

// write lays the credentials out below agent/ under k3s's names.
func (n *nodeCredentials) write(s *settings) error {
	for name, content := range map[string][]byte{
		"client-kubelet.crt": n.ClientCertificate, "client-kubelet.key": n.ClientKey,
		"serving-kubelet.crt": n.ServingCertificate, "serving-kubelet.key": n.ServingKey,
		"client-ca.crt": n.ClientCA, "server-ca.crt": n.ServerCA,
	} {
		if err := parts.WriteFileAtomically(s.agentDir(name), content, 0o600); err != nil {
			return err
		}
	}
	content, err := parts.KubeconfigWithFiles("https://"+apiServerLocal, s.agentDir("server-ca.crt"), s.agentDir("client-kubelet.crt"))
	if err != nil {
		return err
	}
	return parts.WriteFileAtomically(s.agentDir("kubelet.kubeconfig"), content, 0o600)
}

// runOwnNode registers the server's own node once its API answers.
func (s *server) runOwnNode(ctx context.Context) {
	password, err := ownNodePassword()
	if err != nil {
		parts.Fatal("Error: %v", err)
	}
	request := nodeRequest{Name: s.settings.nodeName, Password: password, Addresses: s.settings.nodeIPs}
	for ctx.Err() == nil {
		credentials, err := s.issueNodeCredentials(ctx, request)
		if err == nil {
			if err = credentials.write(s.settings); err == nil {
				_, err = startKubelet(ctx, s.settings, credentials)
			}
			if err != nil {
				parts.Fatal("Error: kubelet exited: %v", err)
			}
			return
		}
		parts.LogInfo("Waiting to retrieve agent configuration; server is not ready: %v", err)
		time.Sleep(5 * time.Second)
	}
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
	taints, err := parts.ParseTaints(s.options["node-taint"])
	if err != nil {
		return nil, err
	}
	if err := writeRegistries(s); err != nil {
		return nil, err
	}
	client, err := parts.StartKubelet(parts.KubeletOptions{
		NodeName: s.nodeName, NodeIPs: s.nodeIPs, Labels: parts.ParseLabels(s.options["node-label"]), Taints: taints,
		Kubeconfig:         s.agentDir("kubelet.kubeconfig"),
		RootDirectory:      parts.OrDefault(kubeletArgument(s.options, "root-dir"), "/var/lib/kubelet"),
		StaticPods:         s.agentDir("pod-manifests"),
		ServingCertificate: s.agentDir("serving-kubelet.crt"),
		ClusterDNS:         credentials.ClusterDNS,
		ClusterDomain:      credentials.ClusterDomain,
		ProviderID:         "k3s://" + s.nodeName,
		ExternalCloud:      !s.options.truth("disable-cloud-controller"),
		AwaitNetwork:       credentials.FlannelBackend == "none",
		StateFile:          "/run/k3s/standin-runtime.json",
	})
	if err != nil {
		return nil, err
	}
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
