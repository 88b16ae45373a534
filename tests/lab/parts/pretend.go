package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	apitest "k8s.io/cri-api/pkg/apis/testing"
)

// pretendRuntime is the fake container runtime with a memory, and with an
// address of its own for each pod.
type pretendRuntime struct {
	internalapi.RuntimeService
	fake    *apitest.FakeRuntimeService
	options KubeletOptions

	mutex   sync.Mutex
	podCIDR string
	next    int
	configs map[string]*runtimeapi.ContainerConfig
}

// pretendState is the file's content.
type pretendState struct {
	PodCIDR    string
	Next       int
	Sandboxes  map[string]*apitest.FakePodSandbox
	Containers map[string]*apitest.FakeContainer
}

func newPretendRuntime(service internalapi.RuntimeService, fake *apitest.FakeRuntimeService, options KubeletOptions) *pretendRuntime {
	runtime := &pretendRuntime{RuntimeService: service, fake: fake, options: options, configs: map[string]*runtimeapi.ContainerConfig{}}
	var state pretendState
	if content, err := os.ReadFile(options.StateFile); err == nil && json.Unmarshal(content, &state) == nil && state.Sandboxes != nil && state.Containers != nil {
		fake.Lock()
		fake.Sandboxes, fake.Containers = state.Sandboxes, state.Containers
		fake.Unlock()
		runtime.podCIDR, runtime.next = state.PodCIDR, state.Next
	}
	return runtime
}

// keep writes the state and passes the error of the action on.
func (p *pretendRuntime) keep(action error) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.fake.Lock()
	content, err := json.Marshal(pretendState{p.podCIDR, p.next, p.fake.Sandboxes, p.fake.Containers})
	p.fake.Unlock()
	if err == nil {
		err = WriteFileAtomically(p.options.StateFile, content, 0o600)
	}
	if err != nil {
		LogDebug("Failed to keep the state of the pretended containers: %v", err)
	}
	return action
}

// Status implements internalapi.RuntimeService. A plug-in of one's own is there
// when it has written its configuration, as for containerd.
func (p *pretendRuntime) Status(ctx context.Context, verbose bool) (*runtimeapi.StatusResponse, error) {
	answer, err := p.RuntimeService.Status(ctx, verbose)
	if plugins, _ := filepath.Glob("/etc/cni/net.d/*.conf*"); err != nil || !p.options.AwaitNetwork || len(plugins) > 0 {
		return answer, err
	}
	for _, condition := range answer.GetStatus().GetConditions() {
		if condition.Type == runtimeapi.NetworkReady {
			condition.Status, condition.Reason = false, "NetworkPluginNotReady"
			condition.Message = "Network plugin returns error: cni plugin not initialized"
		}
	}
	return answer, nil
}

// UpdateRuntimeConfig learns the node's network for pods.
func (p *pretendRuntime) UpdateRuntimeConfig(ctx context.Context, config *runtimeapi.RuntimeConfig) error {
	p.mutex.Lock()
	if network := config.GetNetworkConfig().GetPodCidr(); network != "" {
		p.podCIDR = network
	}
	p.mutex.Unlock()
	return p.RuntimeService.UpdateRuntimeConfig(ctx, config)
}

// address counts the addresses of the node's network up.
func (p *pretendRuntime) address() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if _, _, err := net.ParseCIDR(p.podCIDR); err != nil {
		return ""
	}
	p.next = p.next%250 + 1
	return AddressInNetwork(p.podCIDR, p.next+1)
}

// RunPodSandbox implements internalapi.RuntimeService.
func (p *pretendRuntime) RunPodSandbox(ctx context.Context, config *runtimeapi.PodSandboxConfig, handler string) (string, error) {
	id, err := p.RuntimeService.RunPodSandbox(ctx, config, handler)
	if address := p.address(); err == nil && address != "" {
		p.fake.Lock()
		if sandbox := p.fake.Sandboxes[id]; sandbox != nil {
			sandbox.Network = &runtimeapi.PodSandboxNetworkStatus{Ip: address}
		}
		p.fake.Unlock()
	}
	return id, p.keep(err)
}

// StopPodSandbox implements internalapi.RuntimeService.
func (p *pretendRuntime) StopPodSandbox(ctx context.Context, id string) error {
	return p.keep(p.RuntimeService.StopPodSandbox(ctx, id))
}

// RemovePodSandbox implements internalapi.RuntimeService.
func (p *pretendRuntime) RemovePodSandbox(ctx context.Context, id string) error {
	return p.keep(p.RuntimeService.RemovePodSandbox(ctx, id))
}

// CreateContainer implements internalapi.RuntimeService.
func (p *pretendRuntime) CreateContainer(ctx context.Context, pod string, config *runtimeapi.ContainerConfig, podConfig *runtimeapi.PodSandboxConfig) (string, error) {
	id, err := p.RuntimeService.CreateContainer(ctx, pod, config, podConfig)
	p.mutex.Lock()
	p.configs[id] = config
	p.mutex.Unlock()
	return id, err
}

// StartContainer implements internalapi.RuntimeService. By `cp` network plug-ins install their
// configuration: a container of that command does it, and ends.
func (p *pretendRuntime) StartContainer(ctx context.Context, id string) error {
	err := p.RuntimeService.StartContainer(ctx, id)
	p.mutex.Lock()
	config := p.configs[id]
	delete(p.configs, id)
	p.mutex.Unlock()
	if command := slices.Concat(config.GetCommand(), config.GetArgs()); err == nil && len(command) > 2 && command[0] == "cp" {
		copied := copyBetweenMounts(config.GetMounts(), command[len(command)-2], command[len(command)-1])
		p.fake.Lock()
		if container := p.fake.Containers[id]; container != nil {
			container.State, container.FinishedAt, container.Reason = runtimeapi.ContainerState_CONTAINER_EXITED, time.Now().UnixNano(), "Completed"
			if copied != nil {
				container.ExitCode, container.Reason, container.Message = 1, "Error", copied.Error()
			}
		}
		p.fake.Unlock()
	}
	return p.keep(err)
}

// copyBetweenMounts copies a file, both paths as the container sees them.
func copyBetweenMounts(mounts []*runtimeapi.Mount, from, to string) error {
	onHost := func(path string) (string, error) {
		for _, mount := range mounts {
			if rest, found := strings.CutPrefix(path, strings.TrimSuffix(mount.ContainerPath, "/")+"/"); found {
				return filepath.Join(mount.HostPath, rest), nil
			}
		}
		return "", fmt.Errorf("cp: %s is in no mount", path)
	}
	source, err := onHost(from)
	if err != nil {
		return err
	}
	target, err := onHost(to)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return WriteFileAtomically(target, content, 0o644)
}

// StopContainer implements internalapi.RuntimeService.
func (p *pretendRuntime) StopContainer(ctx context.Context, id string, timeout int64) error {
	return p.keep(p.RuntimeService.StopContainer(ctx, id, timeout))
}

// RemoveContainer implements internalapi.RuntimeService.
func (p *pretendRuntime) RemoveContainer(ctx context.Context, id string) error {
	return p.keep(p.RuntimeService.RemoveContainer(ctx, id))
}
