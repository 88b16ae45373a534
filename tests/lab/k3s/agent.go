package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"towline.lab/parts"
)

const (
	validateRetry      = 2 * time.Second
	configurationRetry = 6 * time.Second
	serverRefresh      = 10 * time.Second
)

// runAgent is `k3s agent`. While its server cannot be reached or refuses it,
// it waits and says why; it does not end by itself.
func runAgent(chosen options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := newSettings("agent", chosen)
	if err != nil {
		return err
	}
	if _, err := parseToken(config.token); err != nil {
		return err
	}
	parts.LogInfo("Starting k3s agent %s (%s)", Version, Commit)
	parts.EndIfBroken()
	err = serveAgent(ctx, config)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func serveAgent(ctx context.Context, s *settings) error {
	port := agentBalancerPort
	if text := s.options.text("lb-server-port"); text != "" {
		if parsed, err := strconv.Atoi(text); err == nil {
			port = parsed
		}
	}
	local := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	balancer, err := parts.StartLoadBalancer(ctx, "k3s-agent-load-balancer", local, s.serverURL, s.agentDir("etc", "k3s-agent-load-balancer.json"))
	if err != nil {
		return err
	}
	supervisor, err := validateConnection(ctx, s, "https://"+local)
	if err != nil {
		return err
	}
	credentials, err := retrieveConfiguration(ctx, s, supervisor)
	if err != nil {
		return err
	}
	if err := credentials.write(s); err != nil {
		return err
	}
	go refreshServers(ctx, supervisor, balancer)
	client, err := startKubelet(ctx, s, credentials)
	if err != nil {
		parts.Fatal("Error: kubelet exited: %v", err)
	}
	for {
		if _, err := client.CoreV1().Nodes().Get(ctx, s.nodeName, metav1.GetOptions{}); err == nil {
			break
		}
		if !parts.Pause(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
	if !credentials.DisableNPC {
		awaitPolicyController(ctx, client, s.nodeName)
	}
	parts.LogInfo("k3s agent is up and running")
	notifyReady()
	go parts.TidyMemory()
	<-ctx.Done()
	return ctx.Err()
}

// awaitPolicyController waits as k3s's network policy controller does before
// an agent tells READY: from the moment at which `ipset save` has ended, for a
// report of the node's Ready condition that is not older
// (k3s: pkg/agent/netpol/netpol.go). So a slow ipset misses the report; a
// machine without an ipset misses none.
func awaitPolicyController(ctx context.Context, client kubernetes.Interface, name string) {
	begun := time.Time{}
	if path, err := exec.LookPath("ipset"); err == nil {
		_ = exec.CommandContext(ctx, path, "save").Run()
		begun = time.Now().Truncate(time.Second)
	}
	for {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			for _, condition := range node.Status.Conditions {
				isReady := condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
				if isReady && !condition.LastHeartbeatTime.Time.Before(begun) {
					return
				}
			}
		}
		if !parts.Pause(ctx, 200*time.Millisecond) {
			return
		}
	}
}

func validateConnection(ctx context.Context, s *settings, local string) (*supervisorClient, error) {
	for {
		supervisor, err := newSupervisorClient(ctx, local, s.token, "node")
		if err == nil {
			warnShortToken(s.token)
			return supervisor, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		parts.LogError("Failed to validate connection to cluster at %s: %v", s.serverURL, err)
		if !parts.Pause(ctx, validateRetry) {
			return nil, ctx.Err()
		}
	}
}

func retrieveConfiguration(ctx context.Context, s *settings, supervisor *supervisorClient) (*nodeCredentials, error) {
	password, err := ownNodePassword()
	if err != nil {
		return nil, err
	}
	for {
		credentials, err := tryConfiguration(ctx, s, supervisor, password)
		if err == nil {
			return credentials, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		parts.LogInfo("Waiting to retrieve agent configuration; server is not ready: %v", err)
		if !parts.Pause(ctx, configurationRetry) {
			return nil, ctx.Err()
		}
	}
}

func tryConfiguration(ctx context.Context, s *settings, supervisor *supervisorClient, password string) (*nodeCredentials, error) {
	var ignored criticalConfig
	if err := supervisor.get(ctx, "/v1-k3s/config", &ignored); err != nil {
		return nil, fmt.Errorf("failed to retrieve configuration from server: %w", err)
	}
	body, err := json.Marshal(nodeRequest{Name: s.nodeName, Password: password, Addresses: append(append([]string(nil), s.nodeIPs...), s.externalIPs...)})
	if err != nil {
		return nil, err
	}
	content, err := supervisor.do(ctx, http.MethodPost, "/v1-k3s/node", nil, body)
	if err != nil {
		return nil, err
	}
	credentials := &nodeCredentials{}
	return credentials, json.Unmarshal(content, credentials)
}

// refreshServers keeps the load balancer's list of servers, so that this
// agent outlives the server it joined through.
func refreshServers(ctx context.Context, supervisor *supervisorClient, balancer *parts.LoadBalancer) {
	for {
		var addresses []string
		err := supervisor.get(ctx, "/v1-k3s/apiservers", &addresses)
		if err == nil {
			balancer.Update(addresses)
		} else if errors.Is(err, errUnauthorized) {
			parts.LogWarning("Failed to learn the servers of the cluster: %v", err)
		}
		if !parts.Pause(ctx, serverRefresh) {
			return
		}
	}
}
