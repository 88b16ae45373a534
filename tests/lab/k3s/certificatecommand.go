package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"towline.lab/parts"
)

// renewDays is how long before its end k3s renews a certificate at a start.
const renewDays = 120

type certificateService struct {
	name  string
	agent bool
	files []string
}

// certificateServices are the files of k3s's services, below the data
// directory; a key lies beside each. Those of what is not in the stand-in are missing.
var certificateServices = []certificateService{
	{"api-server", false, []string{"server/tls/client-kube-apiserver.crt", "server/tls/serving-kube-apiserver.crt"}},
	{"admin", false, []string{"server/tls/client-admin.crt"}},
	{"auth-proxy", false, []string{"server/tls/client-auth-proxy.crt"}},
	{"cloud-controller", false, []string{"server/tls/client-k3s-cloud-controller.crt"}},
	{"controller-manager", false, []string{"server/tls/client-controller.crt"}},
	{"etcd", false, []string{"server/tls/etcd/client.crt", "server/tls/etcd/server-client.crt", "server/tls/etcd/peer-server-client.crt"}},
	{"scheduler", false, []string{"server/tls/client-scheduler.crt"}},
	{"supervisor", false, []string{"server/tls/client-supervisor.crt"}},
	{"k3s-server", false, nil},
	{"kube-proxy", true, []string{"agent/client-kube-proxy.crt"}},
	{"kubelet", true, []string{"agent/client-kubelet.crt", "agent/serving-kubelet.crt"}},
	{"k3s-controller", true, []string{"agent/client-k3s-controller.crt"}},
}

// runCertificate is `k3s certificate`: check and rotate work on the files, also
// while k3s runs (k3s: pkg/cli/cert).
func runCertificate(arguments []string) error {
	if len(arguments) == 0 {
		fmt.Print("NAME:\n   k3s certificate - Manage K3s certificates\n\nCOMMANDS:\n   check, rotate\n")
		return nil
	}
	command := arguments[0]
	if command == "rotate-ca" {
		notInStandIn("certificate rotate-ca")
	}
	if command != "check" && command != "rotate" {
		fmt.Fprintf(os.Stderr, "No help topic for '%s'\n", command)
		os.Exit(3)
	}
	chosen, err := parseArguments([]flagDefinition{{name: "data-dir", aliases: []string{"d"}}, {name: "config", aliases: []string{"c"}},
		{name: "debug", kind: boolFlag}, {name: "service", aliases: []string{"s"}, kind: listFlag}, {name: "output", aliases: []string{"o"}}}, arguments[1:])
	if err != nil {
		return err
	}
	dataDir := parts.OrDefault(chosen.text("data-dir"), defaultDataDir)
	files, err := certificateFiles(dataDir, chosen.list("service"), map[string]string{"check": "checking", "rotate": "rotating"}[command])
	if err != nil {
		return err
	}
	if command == "rotate" {
		return rotateCertificates(dataDir, files)
	}
	return printCertificates(readCertificates(files, time.Now()), parts.OrDefault(chosen.text("output"), "text"))
}

// certificateFiles are those of the services, or of all that this node has.
func certificateFiles(dataDir string, services []string, doing string) ([]string, error) {
	for _, name := range services {
		if !slices.ContainsFunc(certificateServices, func(known certificateService) bool { return known.name == name }) {
			return nil, errors.New("service " + name + " is not recognized")
		}
	}
	_, err := os.Stat(filepath.Join(dataDir, "server"))
	isServer := err == nil
	if len(services) == 0 {
		what := "Agent detected, %s agent certificates"
		if isServer {
			what = "Server detected, %s agent and server certificates"
		}
		parts.LogInfo(what, doing)
	}
	var files []string
	for _, service := range certificateServices {
		if slices.Contains(services, service.name) || len(services) == 0 && (isServer || service.agent) {
			for _, file := range service.files {
				files = append(files, filepath.Join(dataDir, file))
			}
		}
	}
	return files, nil
}

type certificateStatus struct {
	Filename     string
	Subject      string
	Issuer       string
	Usages       []string
	ExpiryTime   time.Time
	ResidualTime time.Duration
	Status       string
}

// readCertificates reads each file with the authorities behind the leaf; what is missing is left out.
func readCertificates(files []string, now time.Time) []certificateStatus {
	all := []certificateStatus{}
	for _, file := range files {
		content, _ := os.ReadFile(file)
		for {
			var block *pem.Block
			if block, content = pem.Decode(content); block == nil {
				break
			}
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				continue
			}
			status := certificateStatus{Filename: filepath.Base(file), Subject: certificate.Subject.CommonName,
				Issuer: certificate.Issuer.CommonName, Usages: usagesOf(certificate), ExpiryTime: certificate.NotAfter,
				ResidualTime: certificate.NotAfter.Sub(now), Status: "OK"}
			switch {
			case now.Before(certificate.NotBefore):
				status.Status, status.ExpiryTime = "NOT YET VALID", certificate.NotBefore
			case now.After(certificate.NotAfter):
				status.Status = "EXPIRED"
			case now.AddDate(0, 0, renewDays).After(certificate.NotAfter):
				status.Status = "WARNING"
			}
			all = append(all, status)
		}
	}
	return all
}

func usagesOf(certificate *x509.Certificate) []string {
	usages := []string{}
	if certificate.KeyUsage&x509.KeyUsageCertSign != 0 {
		usages = append(usages, "CertSign")
	}
	for _, usage := range certificate.ExtKeyUsage {
		switch usage {
		case x509.ExtKeyUsageServerAuth:
			usages = append(usages, "ServerAuth")
		case x509.ExtKeyUsageClientAuth:
			usages = append(usages, "ClientAuth")
		}
	}
	return usages
}

func printCertificates(certificates []certificateStatus, format string) error {
	switch format {
	case "text":
		for _, found := range certificates {
			name := fmt.Sprintf("%s: certificate %s (%s)", found.Filename, found.Subject, strings.Join(found.Usages, ","))
			at := found.ExpiryTime.Format(time.RFC3339)
			switch found.Status {
			case "NOT YET VALID":
				parts.LogError("%s is not valid before %s", name, at)
			case "EXPIRED":
				parts.LogError("%s expired at %s", name, at)
			case "WARNING":
				parts.LogWarning("%s will expire within %d days at %s", name, renewDays, at)
			default:
				parts.LogInfo("%s is ok, expires at %s", name, at)
			}
		}
		return nil
	case "json":
		return json.NewEncoder(os.Stdout).Encode(struct{ Certificates []certificateStatus }{certificates})
	case "table":
		now := time.Now()
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
		fmt.Fprint(table, "\nFILENAME\tSUBJECT\tUSAGES\tEXPIRES\tRESIDUAL TIME\tSTATUS\n--------\t-------\t------\t-------\t-------------\t------\n")
		for _, found := range certificates {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", found.Filename, found.Subject, strings.Join(found.Usages, ","),
				found.ExpiryTime.Format("Jan 02, 2006 15:04 MST"), humanize.RelTime(now, now.Add(found.ResidualTime), "", ""), found.Status)
		}
		return table.Flush()
	default:
		return fmt.Errorf("invalid output format %s", format)
	}
}

// rotateCertificates takes the files away, so that the next start makes new ones.
func rotateCertificates(dataDir string, files []string) error {
	name := fmt.Sprintf("tls-%d", time.Now().Unix())
	backup := filepath.Join(dataDir, "agent", name)
	if _, err := os.Stat(filepath.Join(dataDir, "server", "tls")); err == nil {
		backup = filepath.Join(dataDir, "server", name)
		if err := copyTree(filepath.Join(dataDir, "server", "tls"), backup); err != nil {
			return err
		}
	} else if err := os.MkdirAll(backup, 0o700); err != nil {
		return err
	}
	for _, certificate := range files {
		for _, file := range []string{certificate, parts.KeyFileOf(certificate)} {
			content, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			if strings.HasPrefix(file, filepath.Join(dataDir, "agent")) {
				if err := os.WriteFile(filepath.Join(backup, filepath.Base(file)), content, 0o600); err != nil {
					return err
				}
			}
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	parts.LogInfo("Successfully backed up certificates to %s, please restart k3s server or agent to rotate certificates", backup)
	return nil
}

// runSecretsEncrypt is `k3s secrets-encrypt`, of which the stand-in knows that
// it is disabled.
func runSecretsEncrypt(arguments []string) error {
	if len(arguments) == 0 || arguments[0] != "status" {
		notInStandIn("secrets-encrypt " + strings.Join(arguments, " "))
	}
	chosen, err := parseArguments([]flagDefinition{{name: "output", aliases: []string{"o"}}, {name: "data-dir", aliases: []string{"d"}},
		{name: "token", aliases: []string{"t"}}, {name: "server", aliases: []string{"s"}}}, arguments[1:])
	if err != nil {
		return err
	}
	if chosen.text("output") == "json" {
		fmt.Print("{\n\t\"stage\": \"\",\n\t\"activekey\": \"\"\n}\n")
		return nil
	}
	fmt.Println("Encryption Status: Disabled, no configuration file found")
	return nil
}
