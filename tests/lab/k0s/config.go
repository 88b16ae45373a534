package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// clusterConfig is a k0s.yaml (k0s documentation, configuration). What the
// stand-in does not read keeps the form in which it was written.
type clusterConfig struct {
	APIVersion string         `json:"apiVersion,omitempty"`
	Kind       string         `json:"kind,omitempty"`
	Metadata   map[string]any `json:"metadata,omitempty"`
	Spec       *clusterSpec   `json:"spec,omitempty"`
	Status     map[string]any `json:"status,omitempty"`
}

type clusterSpec struct {
	API               *apiSpec          `json:"api,omitempty"`
	ControllerManager *componentSpec    `json:"controllerManager,omitempty"`
	Scheduler         *componentSpec    `json:"scheduler,omitempty"`
	Storage           *storageSpec      `json:"storage,omitempty"`
	Network           *networkSpec      `json:"network,omitempty"`
	WorkerProfiles    []workerProfile   `json:"workerProfiles,omitempty"`
	Telemetry         map[string]any    `json:"telemetry,omitempty"`
	Install           map[string]any    `json:"installConfig,omitempty"`
	Images            map[string]any    `json:"images,omitempty"`
	Extensions        *extensionsSpec   `json:"extensions,omitempty"`
	Konnectivity      *konnectivitySpec `json:"konnectivity,omitempty"`
	FeatureGates      []any             `json:"featureGates,omitempty"`
	MetricsServer     map[string]any    `json:"metricsServer,omitempty"`
}

type extensionsSpec struct {
	Storage map[string]any `json:"storage,omitempty"`
	Helm    *helmSpec      `json:"helm,omitempty"`
}

type helmSpec struct {
	ConcurrencyLevel int              `json:"concurrencyLevel,omitempty"`
	Repositories     []map[string]any `json:"repositories,omitempty"`
	Charts           []map[string]any `json:"charts,omitempty"`
}

type componentSpec struct {
	ExtraArgs map[string]string `json:"extraArgs,omitempty"`
	RawArgs   []string          `json:"rawArgs,omitempty"`
}

type apiSpec struct {
	Address           string            `json:"address,omitempty"`
	OnlyBindToAddress bool              `json:"onlyBindToAddress,omitempty"`
	ExternalAddress   string            `json:"externalAddress,omitempty"`
	ExtraArgs         map[string]string `json:"extraArgs,omitempty"`
	RawArgs           []string          `json:"rawArgs,omitempty"`
	K0sAPIPort        int               `json:"k0sApiPort,omitempty"`
	Port              int               `json:"port,omitempty"`
	SANs              []string          `json:"sans,omitempty"`
	CA                *caSpec           `json:"ca,omitempty"`
}

type caSpec struct {
	ExpiresAfter            string `json:"expiresAfter"`
	CertificatesExpireAfter string `json:"certificatesExpireAfter"`
}

type storageSpec struct {
	Etcd *etcdSpec `json:"etcd,omitempty"`
	Kine *kineSpec `json:"kine,omitempty"`
	Type string    `json:"type,omitempty"`
}

type etcdSpec struct {
	ExternalCluster map[string]any    `json:"externalCluster,omitempty"`
	PeerAddress     string            `json:"peerAddress,omitempty"`
	ExtraArgs       map[string]string `json:"extraArgs,omitempty"`
	RawArgs         []string          `json:"rawArgs,omitempty"`
	CA              *caSpec           `json:"ca,omitempty"`
}

type kineSpec struct {
	DataSource string            `json:"dataSource,omitempty"`
	ExtraArgs  map[string]string `json:"extraArgs,omitempty"`
	RawArgs    []string          `json:"rawArgs,omitempty"`
}

type networkSpec struct {
	Calico                    map[string]any `json:"calico,omitempty"`
	DualStack                 map[string]any `json:"dualStack"`
	KubeProxy                 map[string]any `json:"kubeProxy,omitempty"`
	KubeRouter                map[string]any `json:"kuberouter,omitempty"`
	CoreDNS                   map[string]any `json:"coreDNS,omitempty"`
	NodeLocalLoadBalancing    *nllbSpec      `json:"nodeLocalLoadBalancing,omitempty"`
	ControlPlaneLoadBalancing map[string]any `json:"controlPlaneLoadBalancing,omitempty"`
	PodCIDR                   string         `json:"podCIDR,omitempty"`
	Provider                  string         `json:"provider,omitempty"`
	ServiceCIDR               string         `json:"serviceCIDR,omitempty"`
	ClusterDomain             string         `json:"clusterDomain,omitempty"`
	PrimaryAddressFamily      string         `json:"primaryAddressFamily,omitempty"`
}

type nllbSpec struct {
	Enabled    bool           `json:"enabled"`
	Type       string         `json:"type,omitempty"`
	EnvoyProxy map[string]any `json:"envoyProxy,omitempty"`
	Traefik    map[string]any `json:"traefik,omitempty"`
}

type konnectivitySpec struct {
	AdminPort       int    `json:"adminPort,omitempty"`
	AgentPort       int    `json:"agentPort,omitempty"`
	ExternalAddress string `json:"externalAddress,omitempty"`
}

type workerProfile struct {
	Name   string         `json:"name"`
	Values map[string]any `json:"values,omitempty"`
}

// These parts of the file are read without a look at unknown keys, as by k0s,
// which reads them by functions of their own.

func (a *apiSpec) UnmarshalJSON(content []byte) error {
	type plain apiSpec
	if err := json.Unmarshal(content, (*plain)(a)); err != nil {
		return err
	}
	a.setDefaults()
	return nil
}

func (s *storageSpec) UnmarshalJSON(content []byte) error {
	s.Type, s.Etcd = "etcd", defaultEtcd()
	type plain storageSpec
	if err := json.Unmarshal(content, (*plain)(s)); err != nil {
		return err
	}
	if s.Type == "kine" {
		if s.Kine == nil {
			s.Kine = &kineSpec{}
		}
		if s.Kine.DataSource == "" {
			s.Kine.DataSource = sqliteSource(defaultDataDir)
		}
	}
	return nil
}

func (n *networkSpec) UnmarshalJSON(content []byte) error {
	type plain networkSpec
	n.Provider = "kuberouter"
	return json.Unmarshal(content, (*plain)(n))
}

func defaultCA() *caSpec { return &caSpec{"87600h0m0s", "8760h0m0s"} }

func (a *apiSpec) setDefaults() {
	if a.Address == "" {
		a.Address = firstAddress()
	}
	if a.K0sAPIPort == 0 {
		a.K0sAPIPort = 9443
	}
	if a.Port == 0 {
		a.Port = 6443
	}
	if a.CA == nil {
		a.CA = defaultCA()
	}
}

func defaultEtcd() *etcdSpec { return &etcdSpec{PeerAddress: firstAddress(), CA: defaultCA()} }

func sqliteSource(dataDir string) string {
	return "sqlite://file:" + filepath.Join(dataDir, "db", "state.db") + "?mode=rwc&_journal=WAL"
}

// firstAddress is the guess of k0s: the first address of the first interface.
func firstAddress() string {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "127.0.0.1"
	}
	second := ""
	for _, device := range interfaces {
		name := device.Name
		if name == "vxlan.calico" || name == "kube-bridge" || name == "dummyvip0" || strings.HasPrefix(name, "veth") || strings.HasPrefix(name, "cali") {
			continue
		}
		addresses, err := device.Addrs()
		if err != nil {
			continue
		}
		for _, address := range addresses {
			network, isNetwork := address.(*net.IPNet)
			if !isNetwork || network.IP.IsLoopback() {
				continue
			}
			if network.IP.To4() != nil {
				return network.IP.String()
			}
			if second == "" {
				second = network.IP.String()
			}
		}
	}
	if second != "" {
		return second
	}
	return "127.0.0.1"
}

func defaultConfig() *clusterConfig {
	api := &apiSpec{}
	api.setDefaults()
	enabled := false
	return &clusterConfig{
		APIVersion: "k0s.k0sproject.io/v1beta1", Kind: "ClusterConfig",
		Metadata: map[string]any{"name": "k0s", "namespace": "kube-system"},
		Spec: &clusterSpec{
			API: api, ControllerManager: &componentSpec{}, Scheduler: &componentSpec{},
			Storage: &storageSpec{Type: "etcd", Etcd: defaultEtcd()},
			Network: &networkSpec{
				PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/12", Provider: "kuberouter", ClusterDomain: "cluster.local",
				DualStack: map[string]any{"enabled": false}, NodeLocalLoadBalancing: &nllbSpec{Type: "EnvoyProxy"},
				KubeProxy: map[string]any{"mode": "iptables"}, KubeRouter: map[string]any{"autoMTU": true, "hairpin": "Enabled"},
			},
			Telemetry: map[string]any{"enabled": enabled},
			Install: map[string]any{"users": map[string]any{"etcdUser": "etcd", "kineUser": "kube-apiserver",
				"konnectivityUser": "konnectivity-server", "kubeAPIserverUser": "kube-apiserver", "kubeSchedulerUser": "kube-scheduler"}},
			Extensions:   &extensionsSpec{Helm: &helmSpec{ConcurrencyLevel: 5}},
			Konnectivity: &konnectivitySpec{AdminPort: 8133, AgentPort: 8132},
		},
	}
}

// merged lays the file over the defaults.
func merged(config *clusterConfig, content []byte) (*clusterConfig, error) {
	if err := yaml.UnmarshalStrict(content, config); err != nil {
		return nil, err
	}
	if config.Spec == nil {
		config.Spec = defaultConfig().Spec
	}
	defaults := defaultConfig().Spec
	spec := config.Spec
	if spec.API == nil {
		spec.API = defaults.API
	}
	if spec.Storage == nil {
		spec.Storage = defaults.Storage
	}
	if spec.Network == nil {
		spec.Network = defaults.Network
	}
	if spec.Konnectivity == nil {
		spec.Konnectivity = defaults.Konnectivity
	}
	if spec.ControllerManager == nil {
		spec.ControllerManager = &componentSpec{}
	}
	if spec.Scheduler == nil {
		spec.Scheduler = &componentSpec{}
	}
	return config, nil
}

// nodeConfig reads the configuration of this machine as it is now.
func (v *vars) nodeConfig() (*clusterConfig, error) {
	config := defaultConfig()
	if v.DefaultStorageType == "kine" {
		config.Spec.Storage = &storageSpec{Type: "kine", Kine: &kineSpec{DataSource: sqliteSource(v.DataDir)}}
	}
	var content []byte
	var err error
	if v.StartupConfigPath == "-" {
		content, err = io.ReadAll(os.Stdin)
	} else {
		content, err = os.ReadFile(v.StartupConfigPath)
	}
	if err != nil {
		if v.StartupConfigPath == defaultConfigFile && errors.Is(err, os.ErrNotExist) {
			return config, nil
		}
		return nil, err
	}
	return merged(config, content)
}

func (c *clusterConfig) balances() bool {
	balancing := c.Spec.Network.NodeLocalLoadBalancing
	return balancing != nil && balancing.Enabled
}

// joinable says whether another controller can use the same storage.
func (s *storageSpec) joinable() bool {
	return s.Type != "kine" || (s.Kine != nil && !strings.HasPrefix(s.Kine.DataSource, "sqlite:"))
}

func (a *apiSpec) externalHost() string {
	if host, _, err := net.SplitHostPort(a.ExternalAddress); err == nil && host != "" {
		return host
	}
	return a.ExternalAddress
}

// urlFor is the address of a port as others are told it. An external address
// that names a port is taken for every port.
func (a *apiSpec) urlFor(port int) string {
	address := a.Address
	if a.ExternalAddress != "" {
		if a.externalHost() != a.ExternalAddress {
			return (&url.URL{Scheme: "https", Host: a.ExternalAddress}).String()
		}
		address = a.ExternalAddress
	}
	return (&url.URL{Scheme: "https", Host: net.JoinHostPort(address, strconv.Itoa(port))}).String()
}

func (a *apiSpec) localURL() string {
	host := "localhost"
	if a.OnlyBindToAddress {
		host = a.Address
	}
	return "https://" + net.JoinHostPort(host, strconv.Itoa(a.Port))
}

func (e *etcdSpec) peerURL() string { return "https://" + net.JoinHostPort(e.PeerAddress, "2380") }

// printDefaults is `k0s config create`.
func printDefaults(output io.Writer) error {
	content, err := yaml.Marshal(defaultConfig())
	if err != nil {
		return err
	}
	_, err = io.Copy(output, bytes.NewReader(content))
	return err
}
