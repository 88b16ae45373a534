package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"towline.lab/parts"
)

func TestCertificatesAreCheckedAndRotated(t *testing.T) {
	folder := t.TempDir()
	tls := filepath.Join(folder, "server", "tls")
	certificate, key, err := parts.NewAuthority("k3s-client-ca@1")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"client-ca.crt": certificate, "client-ca.key": key} {
		if err := parts.WriteFileAtomically(filepath.Join(tls, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	authority, err := parts.LoadAuthority(filepath.Join(tls, "client-ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(tls, "client-admin.crt")
	if err := authority.IssueTo(file, parts.CertificateRequest{Name: "system:admin", Client: true}); err != nil {
		t.Fatal(err)
	}
	files, err := certificateFiles(folder, []string{"admin"}, "checking")
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	for after, wanted := range map[time.Duration]string{-day: "NOT YET VALID", day: "OK", 300 * day: "WARNING", 366 * day: "EXPIRED"} {
		found := readCertificates(files, time.Now().Add(after))
		if len(found) != 2 || found[0].Status != wanted || found[0].Subject != "system:admin" || found[1].Subject != "k3s-client-ca@1" {
			t.Errorf("%v: %+v", after, found)
		}
	}
	if _, err := certificateFiles(folder, []string{"nonsense"}, "checking"); err == nil {
		t.Error("a service that is none was taken")
	}
	if err := rotateCertificates(folder, files); err != nil {
		t.Fatal(err)
	}
	kept, _ := filepath.Glob(filepath.Join(folder, "server", "tls-*", "client-admin.key"))
	if _, err := os.Stat(file); err == nil || len(kept) != 1 {
		t.Errorf("%v %v", err, kept)
	}
	if _, err := os.Stat(filepath.Join(tls, "client-ca.crt")); err != nil {
		t.Error(err)
	}
}
