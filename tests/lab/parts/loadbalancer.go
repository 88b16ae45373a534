package parts

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"
)

// LoadBalancer is a node's own door to the servers: it listens on 127.0.0.1
// and passes each connection on to the first server that takes it. The servers it learned are kept over restarts.
type LoadBalancer struct {
	name string
	file string

	mutex       sync.Mutex
	serverURL   string
	defaultAddr string
	addresses   []string
	connections map[string]map[net.Conn]bool
}

// loadBalancerState is the file's content, in k3s's form.
type loadBalancerState struct {
	ServerURL       string
	ServerAddresses []string
}

// StartLoadBalancer listens, and forwards to the server of serverURL and to those kept in file.
func StartLoadBalancer(ctx context.Context, name, listen, serverURL, file string) (*LoadBalancer, error) {
	parsed, err := url.Parse(serverURL)
	if err != nil {
		return nil, err
	}
	defaultAddress := parsed.Host
	if parsed.Port() == "" {
		defaultAddress = net.JoinHostPort(parsed.Hostname(), "443")
	}
	balancer := &LoadBalancer{name: name, file: file, serverURL: serverURL, defaultAddr: defaultAddress, connections: map[string]map[net.Conn]bool{}}
	var state loadBalancerState
	if content, err := os.ReadFile(file); err == nil && json.Unmarshal(content, &state) == nil && state.ServerURL == serverURL {
		balancer.addresses = state.ServerAddresses
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	LogInfo("Running load balancer %s %s -> %v [default: %s]", name, listen, balancer.addresses, defaultAddress)
	go func() {
		<-ctx.Done()
		_ = listener.Close()
	}()
	go balancer.checkHealth(ctx)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go balancer.serve(connection)
		}
	}()
	return balancer, nil
}

// Update takes the servers the cluster knows now.
func (b *LoadBalancer) Update(addresses []string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if len(addresses) == 0 || equalLists(addresses, b.addresses) {
		return
	}
	b.addresses = addresses
	LogInfo("Updated load balancer %s server addresses -> %v [default: %s]", b.name, addresses, b.defaultAddr)
	content, err := json.MarshalIndent(loadBalancerState{b.serverURL, addresses}, "", "  ")
	if err == nil {
		err = WriteFileAtomically(b.file, content, 0o600)
	}
	if err != nil {
		LogWarning("Failed to keep the load balancer's state: %v", err)
	}
}

func equalLists(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for index := range a {
		if a[index] != b[index] {
			return false
		}
	}
	return true
}

// candidates are the servers to try: those in use first, the default last
// where the cluster has told of others.
func (b *LoadBalancer) candidates() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	var inUse, rest []string
	seen := map[string]bool{}
	for _, address := range append(append([]string(nil), b.addresses...), b.defaultAddr) {
		if seen[address] {
			continue
		}
		seen[address] = true
		if len(b.connections[address]) > 0 {
			inUse = append(inUse, address)
		} else {
			rest = append(rest, address)
		}
	}
	return append(inUse, rest...)
}

func (b *LoadBalancer) serve(client net.Conn) {
	for _, address := range b.candidates() {
		upstream, err := net.DialTimeout("tcp", address, 3*time.Second)
		if err != nil {
			continue
		}
		b.remember(address, upstream, true)
		go func() {
			_, _ = io.Copy(upstream, client)
			_ = upstream.Close()
		}()
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
		_ = upstream.Close()
		b.remember(address, upstream, false)
		return
	}
	if connection, isTCP := client.(*net.TCPConn); isTCP {
		// A reset after the first bytes, as k3s's: the client then fails at its read.
		_ = connection.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = connection.Read(make([]byte, 1))
		_ = connection.SetLinger(0)
	}
	_ = client.Close()
}

func (b *LoadBalancer) remember(address string, connection net.Conn, open bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.connections[address] == nil {
		b.connections[address] = map[net.Conn]bool{}
	}
	if open {
		b.connections[address][connection] = true
	} else {
		delete(b.connections[address], connection)
	}
}

// checkHealth closes the connections to a server that no longer takes new ones.
func (b *LoadBalancer) checkHealth(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(3 * time.Second):
		}
		b.mutex.Lock()
		var inUse []string
		for address, open := range b.connections {
			if len(open) > 0 {
				inUse = append(inUse, address)
			}
		}
		b.mutex.Unlock()
		for _, address := range inUse {
			connection, err := net.DialTimeout("tcp", address, 3*time.Second)
			if err == nil {
				_ = connection.Close()
				continue
			}
			b.mutex.Lock()
			for open := range b.connections[address] {
				_ = open.Close()
			}
			b.mutex.Unlock()
		}
	}
}
