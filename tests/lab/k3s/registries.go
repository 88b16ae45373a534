package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v2"
)

const defaultRegistriesFile = "/etc/rancher/k3s/registries.yaml"

type registriesFile struct {
	Mirrors map[string]struct {
		Endpoints []string          `yaml:"endpoint"`
		Rewrites  map[string]string `yaml:"rewrite"`
	} `yaml:"mirrors"`
	Configs map[string]struct {
		Auth *struct {
			Username, Password string
		} `yaml:"auth"`
		TLS *struct {
			CAFile string `yaml:"ca_file"`
		} `yaml:"tls"`
	} `yaml:"configs"`
}

// writeRegistries makes of registries.yaml what k3s makes of it for containerd:
// a hosts.toml for each registry, and the logins in config.toml
// (k3s: pkg/agent/containerd/config.go). No containerd reads them here.
func writeRegistries(s *settings) error {
	file := s.options.text("private-registry")
	if file == "" {
		file = defaultRegistriesFile
	}
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var registries registriesFile
	if err := yaml.Unmarshal(content, &registries); err != nil {
		return fmt.Errorf("failed to read %s: %w", file, err)
	}
	folder := s.agentDir("etc", "containerd")
	if err := os.RemoveAll(filepath.Join(folder, "certs.d")); err != nil {
		return err
	}
	for registry, mirror := range registries.Mirrors {
		var text strings.Builder
		fmt.Fprintf(&text, "server = %q\n\n[host]\n", "https://"+registry+"/v2")
		for _, endpoint := range mirror.Endpoints {
			fmt.Fprintf(&text, "\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint+"/v2")
			_, name, _ := strings.Cut(endpoint, "://")
			if config := registries.Configs[name]; config.TLS != nil && config.TLS.CAFile != "" {
				if _, err := os.Stat(config.TLS.CAFile); err != nil {
					return err
				}
				fmt.Fprintf(&text, "  ca = [%q]\n", config.TLS.CAFile)
			}
			for from, to := range mirror.Rewrites {
				fmt.Fprintf(&text, "  [host.%q.rewrite]\n    %q = %q\n", endpoint+"/v2", from, to)
			}
		}
		path := filepath.Join(folder, "certs.d", registry, "hosts.toml")
		if err := writePrivate(path, text.String()); err != nil {
			return err
		}
	}
	var text strings.Builder
	for name, config := range registries.Configs {
		if config.Auth != nil {
			fmt.Fprintf(&text, "[plugins.'io.containerd.cri.v1.images'.registry.configs.'%s'.auth]\n  username = %q\n  password = %q\n", name, config.Auth.Username, config.Auth.Password)
		}
	}
	return writePrivate(filepath.Join(folder, "config.toml"), text.String())
}

func writePrivate(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
