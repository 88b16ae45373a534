package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"towline.lab/parts"
)

// issueCertificates writes the certificates and kubeconfigs of a server. The
// file names are k3s's.
func (s *server) issueCertificates() error {
	config := s.settings
	tls := func(name string) string { return config.serverDir("tls", name) }
	clientAuthority, err := parts.LoadAuthority(tls("client-ca.crt"))
	if err != nil {
		return err
	}
	for file, request := range map[string]parts.CertificateRequest{
		"client-admin.crt":          {Name: "system:admin", Groups: []string{"system:masters"}, Client: true},
		"client-controller.crt":     {Name: "system:kube-controller-manager", Groups: []string{"system:masters"}, Client: true},
		"client-scheduler.crt":      {Name: "system:kube-scheduler", Client: true},
		"client-supervisor.crt":     {Name: "system:k3s-supervisor", Groups: []string{"system:masters"}, Client: true},
		"client-kube-apiserver.crt": {Name: "system:apiserver", Groups: []string{"system:masters"}, Client: true},
	} {
		if err := clientAuthority.IssueTo(tls(file), request); err != nil {
			return err
		}
	}
	for _, issued := range []struct {
		authority, file string
		request         parts.CertificateRequest
	}{
		{"request-header-ca.crt", "client-auth-proxy.crt", parts.CertificateRequest{Name: "system:auth-proxy", Client: true}},
		{"etcd/server-ca.crt", "etcd/client.crt", parts.CertificateRequest{Name: "etcd-client", Client: true}},
		{"etcd/server-ca.crt", "etcd/server-client.crt", parts.CertificateRequest{Name: "etcd-server", Server: true, Client: true,
			Names: append([]string{"127.0.0.1", "::1", "localhost", config.nodeName}, config.nodeIPs...)}},
		{"etcd/peer-ca.crt", "etcd/peer-server-client.crt", parts.CertificateRequest{Name: "etcd-peer", Server: true, Client: true,
			Names: append([]string{"127.0.0.1", "::1", "localhost", config.nodeName}, config.nodeIPs...)}},
	} {
		signer, err := parts.LoadAuthority(tls(issued.authority))
		if err != nil {
			return err
		}
		if err := signer.IssueTo(tls(issued.file), issued.request); err != nil {
			return err
		}
	}
	if err := s.serveNames(config.servingNames()); err != nil {
		return err
	}
	return s.writeKubeconfigs()
}

// serveNames makes the serving certificate cover these names beside those it
// has: like k3s's it only grows.
func (s *server) serveNames(names []string) error {
	file := s.settings.serverDir("tls", "serving-kube-apiserver.crt")
	signer, err := parts.LoadAuthority(s.settings.serverDir("tls", "server-ca.crt"))
	if err != nil {
		return err
	}
	if content, err := os.ReadFile(file); err == nil {
		if present, err := parts.ParseCertificate(content); err == nil && present.CheckSignatureFrom(signer.Certificate) == nil {
			names = append(names, parts.CertificateNames(present)...)
		}
	}
	if err := signer.IssueTo(file, parts.CertificateRequest{Name: "k3s", Groups: []string{"k3s"}, Server: true, Names: names}); err != nil {
		return err
	}
	return s.supervisor.loadCertificate()
}

// kubeconfigWith is a kubeconfig whose names are all "default", as k3s's are.
func kubeconfigWith(serverURL string, caPEM, certificate, key []byte) ([]byte, error) {
	return clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"default": {Server: serverURL, CertificateAuthorityData: caPEM}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"default": {ClientCertificateData: certificate, ClientKeyData: key}},
		Contexts:       map[string]*clientcmdapi.Context{"default": {Cluster: "default", AuthInfo: "default"}},
		CurrentContext: "default",
	})
}

func (s *server) writeKubeconfigs() error {
	config := s.settings
	tls := func(name string) string { return config.serverDir("tls", name) }
	local := "https://" + apiServerLocal
	for name, certificate := range map[string]string{
		"admin": "client-admin.crt", "controller": "client-controller.crt",
		"scheduler": "client-scheduler.crt", "supervisor": "client-supervisor.crt",
	} {
		content, err := parts.KubeconfigWithFiles(local, tls("server-ca.crt"), tls(certificate))
		if err != nil {
			return err
		}
		if err := parts.WriteFileAtomically(config.serverDir("cred", name+".kubeconfig"), content, 0o600); err != nil {
			return err
		}
	}
	return s.writeAdminKubeconfig()
}

func (s *server) writeAdminKubeconfig() error {
	config := s.settings
	certificate, err := os.ReadFile(config.serverDir("tls", "client-admin.crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(config.serverDir("tls", "client-admin.key"))
	if err != nil {
		return err
	}
	content, err := kubeconfigWith(fmt.Sprintf("https://127.0.0.1:%d", config.port), s.bootstrap()["tls/server-ca.crt"], certificate, key)
	if err != nil {
		return err
	}
	mode := os.FileMode(0o600)
	if text := config.options.text("write-kubeconfig-mode"); text != "" {
		parsed, err := strconv.ParseUint(text, 8, 32)
		if err != nil {
			return fmt.Errorf("invalid write-kubeconfig-mode %s: %w", text, err)
		}
		mode = os.FileMode(parsed) & os.ModePerm
	}
	file := parts.OrDefault(config.options.text("write-kubeconfig"), defaultKubeconfig)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := parts.WriteFileAtomically(file, content, mode); err != nil {
		return err
	}
	parts.LogInfo("Wrote kubeconfig %s", file)
	return giveToGroup(file, config.options.text("write-kubeconfig-group"))
}

func giveToGroup(file, name string) error {
	if name == "" {
		return nil
	}
	id, err := strconv.Atoi(name)
	if err != nil {
		group, err := user.LookupGroup(name)
		if err != nil {
			return err
		}
		if id, err = strconv.Atoi(group.Gid); err != nil {
			return err
		}
	}
	return os.Chown(file, -1, id)
}
