package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPartsOfTheFileLieOverTheDefaults(t *testing.T) {
	config, err := merged(defaultConfig(), []byte("spec: {api: {address: 192.0.2.1, typo: 1}, storage: {etcd: {peerAddress: 192.0.2.1}}, network: {podCIDR: 10.9.0.0/16}}"))
	if err != nil {
		t.Fatal(err)
	}
	spec := config.Spec
	if spec.API.Port != 6443 || spec.API.K0sAPIPort != 9443 || spec.Storage.Type != "etcd" || spec.Network.ServiceCIDR != "10.96.0.0/12" || spec.Network.PodCIDR != "10.9.0.0/16" {
		t.Errorf("%+v %+v %+v", spec.API, spec.Storage, spec.Network)
	}
	if peer := spec.Storage.Etcd.peerURL(); peer != "https://192.0.2.1:2380" {
		t.Error(peer)
	}
}

func TestMistakesInK0sWords(t *testing.T) {
	folder := t.TempDir()
	for content, wanted := range map[string]string{
		"spec: {apis: {}}":                     `failed to parse configuration: error unmarshaling JSON: while decoding JSON: json: unknown field "apis"`,
		"a: [":                                 "failed to parse configuration: error converting YAML to JSON",
		"spec: {api: {address: here}}":         `spec: api: address: Invalid value: "here": invalid IP address`,
		"spec: {network: {provider: flannel}}": "spec: network: provider: Unsupported value",
		"spec: {api: {address: 192.0.2.1, externalAddress: lb.example}, network: {nodeLocalLoadBalancing: {enabled: true}}}": "node-local load balancing cannot be used in conjunction with an external Kubernetes API server address",
	} {
		file := filepath.Join(folder, "k0s.yaml")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		err := validateFile(file, nil)
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s: %v", content, err)
		}
	}
}

func TestTokensTellWhatTheyAreFor(t *testing.T) {
	text, err := encodeToken("https://192.0.2.1:6443", workerUser, []byte("ca"), "abcdef.0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	if _, user, err := decodeToken(text + "\n"); err != nil || user != workerUser {
		t.Errorf("%s %v", user, err)
	}
	_, err = newJoinClient(text)
	if err == nil || err.Error() != "wrong token type kubelet-bootstrap, expected type: controller-bootstrap" {
		t.Error(err)
	}
	if _, err := newJoinClient("used"); err == nil || !strings.Contains(err.Error(), "failed to decode token") {
		t.Error(err)
	}
	secret, _ := bootstrapSecret("controller", time.Minute)
	if string(secret.Data["usage-controller-join"]) != "true" || len(secret.Data["expiration"]) == 0 {
		t.Errorf("%v", secret.Data)
	}
}

func TestOneSourceOfATokenIsEnough(t *testing.T) {
	if (tokenSource{"a", "b"}).check() == nil {
		t.Error("two sources were taken")
	}
	_, err := tokenSource{"", "/nowhere"}.read()
	if err == nil || !strings.HasPrefix(err.Error(), `token file "/nowhere" not found: obtain a new token via "k0s token create ..."`) {
		t.Error(err)
	}
}
