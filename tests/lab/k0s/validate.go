package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (c *clusterConfig) validate() []error {
	var problems []error
	add := func(part string, err *field.Error) {
		problems = append(problems, fmt.Errorf("spec: %s: %w", part, err))
	}
	name := func(text string) bool {
		return net.ParseIP(text) != nil || len(validation.IsDNS1123Subdomain(strings.ToLower(strings.TrimSuffix(text, ".")))) == 0
	}
	api := c.Spec.API
	if net.ParseIP(api.Address) == nil {
		add("api", field.Invalid(field.NewPath("address"), api.Address, "invalid IP address"))
	}
	if api.Address == "0.0.0.0" || api.Address == "::" {
		add("api", field.Invalid(field.NewPath("address"), api.Address, "invalid INADDR_ANY"))
	}
	if api.ExternalAddress != "" && !name(api.externalHost()) {
		add("api", field.Invalid(field.NewPath("externalAddress"), api.externalHost(), "invalid IP address / DNS name"))
	}
	for key, port := range map[string]int{"k0sApiPort": api.K0sAPIPort, "port": api.Port} {
		for _, message := range validation.IsValidPortNum(port) {
			add("api", field.Invalid(field.NewPath(key), port, message))
		}
	}
	for index, san := range api.SANs {
		if !name(san) {
			add("api", field.Invalid(field.NewPath("sans").Index(index), san, "invalid IP address / DNS name"))
		}
	}
	if kind := c.Spec.Storage.Type; kind != "etcd" && kind != "kine" {
		add("storage", field.NotSupported(field.NewPath("type"), kind, []string{"etcd", "kine"}))
	}
	network := c.Spec.Network
	switch network.Provider {
	case "calico", "custom", "kuberouter":
	default:
		add("network", field.NotSupported(field.NewPath("provider"), network.Provider, []string{"kuberouter", "calico", "custom"}))
	}
	for key, cidr := range map[string]string{"podCIDR": network.PodCIDR, "serviceCIDR": network.ServiceCIDR} {
		if _, _, err := net.ParseCIDR(cidr); err != nil {
			add("network", field.Invalid(field.NewPath(key), cidr, "invalid CIDR address"))
		}
	}
	if c.balances() && api.ExternalAddress != "" {
		problems = append(problems, fmt.Errorf("spec: %w", field.Forbidden(field.NewPath("network", "nodeLocalLoadBalancing", "enabled"),
			"node-local load balancing cannot be used in conjunction with an external Kubernetes API server address")))
	}
	return problems
}

// validateFile is `k0s config validate`.
func validateFile(name string, input io.Reader) error {
	var content []byte
	var err error
	switch name {
	case "":
		return errors.New("--config can't be empty")
	case "-":
		if content, err = io.ReadAll(input); err != nil {
			return fmt.Errorf("failed to read configuration from standard input: %w", err)
		}
	default:
		if content, err = os.ReadFile(name); err != nil {
			return fmt.Errorf("failed to read configuration file: %w", err)
		}
	}
	config, err := merged(defaultConfig(), content)
	if err != nil {
		return fmt.Errorf("failed to parse configuration: %w", err)
	}
	return errors.Join(config.validate()...)
}
