package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"towline.lab/parts"
)

// statusAnswer is what a running k0s tells of itself.
type statusAnswer struct {
	Version                     string
	Pid                         int
	PPid                        int
	Role                        string
	SysInit                     string
	StubFile                    string
	Output                      string
	Workloads                   bool
	SingleNode                  bool
	Args                        []string
	WorkerToAPIConnectionStatus probeStatus
	ClusterConfig               *clusterConfig
	K0sVars                     *vars
}

type probeStatus struct {
	Message string
	Success bool
}

type statusServer struct {
	socket     string
	kubeconfig string
	answer     statusAnswer
	service    *http.Server

	mutex  sync.Mutex
	client kubernetes.Interface
}

// serveStatus opens the socket. The kubeconfig is by which the node reaches the API.
func serveStatus(socket, kubeconfig string, answer statusAnswer) (*statusServer, error) {
	_ = os.Remove(socket)
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	server := &statusServer{socket: socket, kubeconfig: kubeconfig, answer: answer}
	handler := http.NewServeMux()
	handler.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(server.now(r.Context()))
	})
	server.service = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: parts.QuietLogger()}
	parts.LogInfo("Listening address %s", socket)
	go func() { _ = server.service.Serve(listener) }()
	return server, nil
}

func (s *statusServer) stop() {
	_ = s.service.Close()
	_ = os.Remove(s.socket)
}

// now adds whether the node reaches the API. Before the kubelet has
// credentials it waits for them, up to five minutes.
func (s *statusServer) now(ctx context.Context) statusAnswer {
	answer := s.answer
	if !answer.Workloads {
		return answer
	}
	client, err := s.kubeletClient(ctx)
	if err != nil {
		answer.WorkerToAPIConnectionStatus.Message = "failed to create kube-api client required for kube-api status reports, probably kubelet failed to init: " + err.Error()
		return answer
	}
	if _, err := client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Raw(); err != nil {
		answer.WorkerToAPIConnectionStatus.Message = err.Error()
		return answer
	}
	answer.WorkerToAPIConnectionStatus.Success = true
	return answer
}

func (s *statusServer) kubeletClient(ctx context.Context) (kubernetes.Interface, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.client != nil {
		return s.client, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patient(5*time.Minute))
	defer cancel()
	for {
		access, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
		if err == nil {
			s.client, err = kubernetes.NewForConfig(access)
			return s.client, err
		}
		if !parts.Pause(ctx, time.Second) {
			return nil, fmt.Errorf("timed out waiting for the condition")
		}
	}
}

// askStatus asks the running k0s.
func askStatus(socket string) (*statusAnswer, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	response, err := client.Get("http://localhost/status")
	if err != nil {
		return nil, fmt.Errorf("status: can't get %q via %q: %w", "status", socket, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status: can't get %q via %q: status code %d", "status", socket, response.StatusCode)
	}
	answer := &statusAnswer{}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return nil, fmt.Errorf("status: can't get %q via %q: can't decode JSON: %w", "status", socket, err)
	}
	return answer, nil
}

func printStatus(output io.Writer, answer *statusAnswer, form string) {
	switch form {
	case "json":
		content, _ := json.MarshalIndent(answer, "", "   ")
		_, _ = fmt.Fprintln(output, string(content))
	case "yaml":
		content, _ := yaml.Marshal(answer)
		_, _ = fmt.Fprintln(output, string(content))
	default:
		line := func(name string, value any) { _, _ = fmt.Fprintln(output, name, value) }
		line("Version:", answer.Version)
		line("Process ID:", answer.Pid)
		line("Role:", answer.Role)
		line("Workloads:", answer.Workloads)
		line("SingleNode:", answer.SingleNode)
		if answer.Workloads {
			line("Kube-api probing successful:", answer.WorkerToAPIConnectionStatus.Success)
			line("Kube-api probing last error: ", answer.WorkerToAPIConnectionStatus.Message)
		}
	}
}
