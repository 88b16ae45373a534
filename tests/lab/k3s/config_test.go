package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"towline.lab/parts"
)

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		if err := parts.WriteFileAtomically(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "config.yaml")
}

func TestLaterFilesWinAndAppend(t *testing.T) {
	file := writeFiles(t, map[string]string{
		"config.yaml":           "token: first\ntls-san: [a, b]\nnode-label:\n- one=1\nhttps-listen-port: 7443\n",
		"config.yaml.d/b.yaml":  "token: third\ntls-san+: [c]\n",
		"config.yaml.d/a.yml":   "token: second\nnode-label: [two=2]\n",
		"config.yaml.d/c.other": "token: never\n",
	})
	chosen, err := loadOptions("server", []string{"--config", file, "--disable=traefik", "--disable", "servicelb"})
	if err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string][]string{
		"token": {"third"}, "tls-san": {"a", "b", "c"}, "node-label": {"two=2"},
		"https-listen-port": {"7443"}, "disable": {"traefik", "servicelb"},
	} {
		if !reflect.DeepEqual(chosen[name], wanted) {
			t.Errorf("%s: %v, wanted %v", name, chosen[name], wanted)
		}
	}
}

func TestCommandLineBeatsFileBeatsEnvironment(t *testing.T) {
	file := writeFiles(t, map[string]string{"config.yaml": "token: file\nserver: https://file:6443\n"})
	t.Setenv("K3S_CONFIG_FILE", file)
	t.Setenv("K3S_TOKEN", "environment")
	t.Setenv("K3S_NODE_NAME", "environment")
	chosen, err := loadOptions("agent", []string{"-s", "https://line:6443"})
	if err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string]string{"token": "file", "server": "https://line:6443", "node-name": "environment"} {
		if chosen.text(name) != wanted {
			t.Errorf("%s: %q, wanted %q", name, chosen.text(name), wanted)
		}
	}
}

func TestMistakesInK3sWords(t *testing.T) {
	for content, wanted := range map[string]string{
		"cluster-init: perhaps":  `invalid boolean value "perhaps" for -cluster-init: parse error`,
		"a: 1\nb: 2\nc: [\n":     "yaml: line 3: did not find expected node content",
		"a: 1\n  b: 2\n- c: 3\n": "yaml: line 2: mapping values are not allowed in this context",
	} {
		file := writeFiles(t, map[string]string{"config.yaml": content})
		_, err := loadOptions("server", []string{"--config=" + file})
		if err == nil || err.Error() != wanted {
			t.Errorf("%q: %v, wanted %s", content, err, wanted)
		}
	}
	unknown := writeFiles(t, map[string]string{"config.yaml": "nosuchkey: 1\ndisable: [traefik]\n"})
	if _, err := loadOptions("agent", []string{"--config=" + unknown}); err == nil || err.Error() != "flag provided but not defined: -disable" {
		t.Errorf("an agent and keys that it does not know: %v", err)
	}
	chosen, err := loadOptions("server", []string{"--config=" + unknown, "--disable=servicelb"})
	if err != nil || strings.Join(chosen.list("disable"), " ") != "traefik servicelb" {
		t.Errorf("a server and a key that it does not know: %v, %v", chosen, err)
	}
	if _, err := loadOptions("agent", []string{"--cluster-init"}); err == nil {
		t.Error("an agent took a server's flag")
	}
	if _, err := loadOptions("server", []string{"--config=" + filepath.Join(t.TempDir(), "none")}); !os.IsNotExist(err) {
		t.Errorf("a named file that is missing: %v", err)
	}
}

func TestDefaultsOfAServer(t *testing.T) {
	s, err := newSettings("server", options{"node-ip": {"10.0.0.5"}, "node-name": {"Alpha"}, "service-cidr": {"10.99.0.0/16"},
		"node-external-ip": {"203.0.113.5"}, "tls-san": {"k8s.example,198.51.100.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.nodeName != "alpha" || s.clusterDNS[0] != "10.99.0.10" || s.advertiseAddress != "203.0.113.5" {
		t.Errorf("unexpected defaults: %+v", s)
	}
	names := strings.Join(s.servingNames(), " ")
	for _, name := range []string{"127.0.0.1", "::1", "localhost", "alpha", "10.0.0.5", "203.0.113.5", "10.99.0.1",
		"kubernetes.default.svc.cluster.local", "k8s.example", "198.51.100.1"} {
		if !strings.Contains(" "+names+" ", " "+name+" ") {
			t.Errorf("%s is not among the serving names %s", name, names)
		}
	}
}

func TestAgentsNeedTokenAndServer(t *testing.T) {
	for wanted, chosen := range map[string]options{
		"--token is required":  {"server": {"https://a:6443"}},
		"--server is required": {"token": {"a"}},
	} {
		if _, err := newSettings("agent", chosen); err == nil || err.Error() != wanted {
			t.Errorf("%v: %v, wanted %s", chosen, err, wanted)
		}
	}
}

func TestMismatches(t *testing.T) {
	mine := criticalConfig{ClusterIPRanges: []string{"10.42.0.0/16"}, ServiceIPRanges: []string{"10.43.0.0/16"}, ClusterDNSs: []string{"10.43.0.10"}}
	other := mine
	if found := mine.mismatches(other); len(found) != 0 {
		t.Errorf("equal values differ: %v", found)
	}
	other.ClusterIPRanges, other.DisableNPC, other.FlannelBackend = []string{"10.52.0.0/16"}, true, "none"
	wanted := []string{"ClusterIPRange.IP.slice[13]", "ClusterIPRanges.slice[0].IP.slice[13]", "disable-network-policy", "flannel-backend"}
	if found := mine.mismatches(other); !reflect.DeepEqual(found, wanted) {
		t.Errorf("%v, wanted %v", found, wanted)
	}
}

func TestNodeArgumentsHideSecrets(t *testing.T) {
	shown := nodeArguments([]string{"server"}, options{"token": {"geheim"}, "cluster-init": {"true"}})
	if shown != `["server","--cluster-init","true","--token","********"]` {
		t.Error(shown)
	}
}
