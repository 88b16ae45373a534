package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"towline.lab/parts"
)

const (
	defaultDataDir    = "/var/lib/rancher/k3s"
	nodeConfigDir     = "/etc/rancher/node"
	defaultKubeconfig = "/etc/rancher/k3s/k3s.yaml"
	agentBalancerPort = 6444
	apiServerLocal    = "127.0.0.1:6444"
)

// settings is what a server or agent runs with: the user's options with k3s's defaults.
type settings struct {
	options     options
	dataDir     string
	nodeName    string
	nodeIPs     []string
	externalIPs []string
	token       string
	serverURL   string

	// the rest concerns servers only
	agentToken       string
	clusterInit      bool
	port             int
	bindAddress      string
	advertiseAddress string
	clusterCIDRs     []string
	serviceCIDRs     []string
	clusterDNS       []string
	clusterDomain    string
	nodePortRange    string
	tlsNames         []string
}

func (s *settings) serverDir(parts ...string) string {
	return filepath.Join(append([]string{s.dataDir, "server"}, parts...)...)
}

func (s *settings) agentDir(parts ...string) string {
	return filepath.Join(append([]string{s.dataDir, "agent"}, parts...)...)
}

func newSettings(command string, chosen options) (*settings, error) {
	s := &settings{options: chosen, dataDir: defaultDataDir}
	if dir := chosen.text("data-dir"); dir != "" {
		s.dataDir = dir
	}
	s.serverURL = strings.TrimSuffix(chosen.text("server"), "/")
	if s.serverURL != "" && !strings.HasPrefix(s.serverURL, "https://") {
		return nil, fmt.Errorf("invalid URL for --server: %s: only https:// URLs are supported", s.serverURL)
	}
	var err error
	if s.token, err = optionOrFile(chosen, "token"); err != nil {
		return nil, err
	}
	if command == "agent" {
		if s.token == "" {
			return nil, errors.New("--token is required")
		}
		if s.serverURL == "" {
			return nil, errors.New("--server is required")
		}
	}
	if err := s.setNode(); err != nil {
		return nil, err
	}
	if command == "server" {
		return s, s.setServer()
	}
	return s, nil
}

func (s *settings) setNode() error {
	chosen := s.options
	s.nodeName = chosen.text("node-name")
	if s.nodeName == "" {
		hostname, err := os.Hostname()
		if err != nil {
			return err
		}
		s.nodeName = hostname
		if s.nodeName == "localhost" {
			return errors.New("failed to get node name: hostname is localhost: set --node-name")
		}
	}
	s.nodeName = strings.ToLower(s.nodeName)
	if chosen.truth("with-node-id") {
		id, err := nodeID()
		if err != nil {
			return err
		}
		s.nodeName += "-" + id
	}
	s.nodeIPs = chosen.list("node-ip")
	s.externalIPs = chosen.list("node-external-ip")
	for _, address := range append(append([]string(nil), s.nodeIPs...), s.externalIPs...) {
		if net.ParseIP(address) == nil {
			return fmt.Errorf("invalid ip format '%s'", address)
		}
	}
	if len(s.nodeIPs) > 0 {
		return nil
	}
	var address string
	var err error
	if device := chosen.text("flannel-iface"); device != "" {
		address, err = addressOfInterface(device)
	} else {
		address, err = addressOfDefaultRoute()
	}
	if err != nil {
		return err
	}
	s.nodeIPs = []string{address}
	return nil
}

func (s *settings) setServer() error {
	chosen := s.options
	var err error
	if s.agentToken, err = optionOrFile(chosen, "agent-token"); err != nil {
		return err
	}
	if err := s.checkReset(); err != nil {
		return err
	}
	s.clusterInit = chosen.truth("cluster-init")
	s.port = 6443
	if text := chosen.text("https-listen-port"); text != "" {
		if s.port, err = strconv.Atoi(text); err != nil {
			return usageError{fmt.Sprintf("invalid value %q for flag -https-listen-port: parse error", text)}
		}
	}
	s.bindAddress = parts.OrDefault(chosen.text("bind-address"), "0.0.0.0")
	s.advertiseAddress = chosen.text("advertise-address")
	if s.advertiseAddress == "" {
		s.advertiseAddress = append(append([]string(nil), s.externalIPs...), s.nodeIPs...)[0]
	}
	pods, services := "10.42.0.0/16", "10.43.0.0/16"
	if net.ParseIP(s.nodeIPs[0]).To4() == nil {
		pods, services = "fd00:42::/56", "fd00:43::/112"
	}
	if s.clusterCIDRs, err = networks(chosen.list("cluster-cidr"), pods, "cluster-cidr"); err != nil {
		return err
	}
	if s.serviceCIDRs, err = networks(chosen.list("service-cidr"), services, "service-cidr"); err != nil {
		return err
	}
	s.clusterDNS = chosen.list("cluster-dns")
	if len(s.clusterDNS) == 0 {
		s.clusterDNS = []string{parts.AddressInNetwork(s.serviceCIDRs[0], 10)}
	}
	s.clusterDomain = parts.OrDefault(chosen.text("cluster-domain"), "cluster.local")
	s.nodePortRange = parts.OrDefault(chosen.text("service-node-port-range"), "30000-32767")
	s.tlsNames = chosen.list("tls-san")
	return nil
}

// servingNames are the names and addresses of this server's certificate
// (k3s-facts: 127.0.0.1 ::1 localhost node-name node-ips node-external-ip
// advertise-address service address kubernetes.default..., every tls-san).
func (s *settings) servingNames() []string {
	names := []string{"127.0.0.1", "::1", "localhost", s.nodeName, s.advertiseAddress, parts.AddressInNetwork(s.serviceCIDRs[0], 1),
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + s.clusterDomain}
	names = append(names, s.nodeIPs...)
	names = append(names, s.externalIPs...)
	return parts.UniqueSorted(append(names, s.tlsNames...))
}

func networks(values []string, fallback, name string) ([]string, error) {
	if len(values) == 0 {
		values = []string{fallback}
	}
	for _, value := range values {
		if _, _, err := net.ParseCIDR(value); err != nil {
			return nil, fmt.Errorf("invalid %s %s: %w", name, value, err)
		}
	}
	return values, nil
}

func nodeID() (string, error) {
	file := filepath.Join(nodeConfigDir, "id")
	if content, err := os.ReadFile(file); err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	id := parts.RandomHex(4)
	return id, parts.WriteFileAtomically(file, []byte(id+"\n"), 0o644)
}
