package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"towline.lab/parts"
)

func TestParseToken(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for text, wanted := range map[string]token{
		"secret":                            {password: "secret"},
		" secret\n":                         {password: "secret"},
		"node:secret":                       {user: "node", password: "secret"},
		"K10" + hash + "::server:a:b":       {caHash: hash, user: "server", password: "a:b"},
		"K10" + hash + "::node:secret":      {caHash: hash, user: "node", password: "secret"},
		"not:a-user-but-a-password-of-text": {password: "not:a-user-but-a-password-of-text"},
	} {
		found, err := parseToken(text)
		if err != nil || found != wanted {
			t.Errorf("%q: %+v %v", text, found, err)
		}
	}
	for _, text := range []string{"", "K10abc::server:x", "K10" + hash + "::server", "K10" + hash + "::server:"} {
		if _, err := parseToken(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestTokenFiles(t *testing.T) {
	folder := t.TempDir()
	content := func(name string) string {
		found, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(found))
	}
	if err := writeTokenFiles(folder, []byte("ca"), "one", "one"); err != nil {
		t.Fatal(err)
	}
	wanted := "K10" + hashCA([]byte("ca")) + "::server:one"
	for _, name := range []string{"token", "node-token", "agent-token"} {
		if content(name) != wanted {
			t.Errorf("%s holds %s", name, content(name))
		}
	}
	if err := writeTokenFiles(folder, []byte("ca"), "one", "two"); err != nil {
		t.Fatal(err)
	}
	if content("agent-token") != "K10"+hashCA([]byte("ca"))+"::node:two" || content("node-token") != wanted {
		t.Errorf("agent-token holds %s", content("agent-token"))
	}
	parsed, _ := parseToken(wanted)
	if parsed.checkCA([]byte("ca")) != nil || parsed.checkCA([]byte("other")) == nil {
		t.Error("the CA hash is not checked")
	}
}

func TestBootstrapDataNeedsItsToken(t *testing.T) {
	data := bootstrapData{"tls/server-ca.crt": []byte("ca"), passwordFile: formatPasswords("one", "two")}
	sealed, err := data.encrypt("one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decryptBootstrapData(sealed, "other"); !errors.Is(err, errDifferentToken) {
		t.Errorf("a wrong token gave %v", err)
	}
	opened, err := decryptBootstrapData(sealed, "one")
	if err != nil {
		t.Fatal(err)
	}
	if server, agent := parsePasswords(opened[passwordFile]); server != "one" || agent != "two" {
		t.Errorf("passwords %s %s", server, agent)
	}
	hostile := bootstrapData{"../outside": nil}
	if hostile.write(t.TempDir()) == nil {
		t.Error("a file outside the folder was written")
	}
}

func TestCertificatesAreKeptAndRenewed(t *testing.T) {
	folder := t.TempDir()
	data, err := newBootstrapData(folder, "one", "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := data.write(folder); err != nil {
		t.Fatal(err)
	}
	again, err := newBootstrapData(folder, "one", "one")
	if err != nil || string(again["tls/server-ca.crt"]) != string(data["tls/server-ca.crt"]) {
		t.Errorf("a present CA was not taken: %v", err)
	}
	signer, err := parts.LoadAuthority(filepath.Join(folder, "tls/server-ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "serving.crt")
	issue := func(names ...string) string {
		if err := signer.IssueTo(file, parts.CertificateRequest{Name: "k3s", Server: true, Names: names}); err != nil {
			t.Fatal(err)
		}
		content, _ := os.ReadFile(file)
		return string(content)
	}
	first := issue("a", "127.0.0.1")
	if issue("127.0.0.1", "a") != first {
		t.Error("a good certificate was renewed")
	}
	if issue("a", "b", "127.0.0.1") == first {
		t.Error("a new name did not renew the certificate")
	}
}
