package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"towline.lab/parts"
)

// ensureAuthority makes a CA where there is none.
func (v *vars) ensureAuthority(file, name string) (*parts.Authority, error) {
	certificateFile := v.pki(file + ".crt")
	_, errCertificate := os.Stat(certificateFile)
	_, errKey := os.Stat(v.pki(file + ".key"))
	if errCertificate != nil || errKey != nil {
		certificate, key, err := parts.NewAuthority(name)
		if err != nil {
			return nil, err
		}
		if err := parts.WriteFileAtomically(v.pki(file+".key"), key, 0o640); err != nil {
			return nil, err
		}
		if err := parts.WriteFileAtomically(certificateFile, certificate, 0o644); err != nil {
			return nil, err
		}
	}
	return parts.LoadAuthority(certificateFile)
}

// issue makes a certificate anew, as k0s does at each start. All of them are
// for servers and for clients.
func (v *vars) issue(signer *parts.Authority, file string, request parts.CertificateRequest) (certificate, key []byte, err error) {
	request.Server, request.Client = true, true
	if certificate, key, err = signer.Issue(request); err != nil {
		return nil, nil, err
	}
	if err := parts.WriteFileAtomically(v.pki(file+".key"), key, 0o640); err != nil {
		return nil, nil, err
	}
	return certificate, key, parts.WriteFileAtomically(v.pki(file+".crt"), certificate, 0o644)
}

func kubeconfig(server, context, user string, caPEM, certificate, key []byte) ([]byte, error) {
	cluster := "local"
	return clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{cluster: {Server: server, CertificateAuthorityData: caPEM}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{user: {ClientCertificateData: certificate, ClientKeyData: key}},
		Contexts:       map[string]*clientcmdapi.Context{context: {Cluster: cluster, AuthInfo: user}},
		CurrentContext: context,
	})
}

// issueCertificates writes what the API server and its clients need.
func (v *vars) issueCertificates(config *clusterConfig) error {
	authority, err := v.ensureAuthority("ca", "kubernetes-ca")
	if err != nil {
		return err
	}
	frontProxy, err := v.ensureAuthority("front-proxy-ca", "kubernetes-front-proxy-ca")
	if err != nil {
		return err
	}
	if _, _, err := v.issue(frontProxy, "front-proxy-client", parts.CertificateRequest{Name: "front-proxy-client", Groups: []string{"front-proxy-client"}}); err != nil {
		return err
	}
	for _, client := range []struct{ file, name, group, kubeconfig string }{
		{"admin", "kubernetes-admin", "system:masters", "admin.conf"},
		// k0s lets each of its controllers act under a name of its own.
		{"ccm", "system:kube-controller-manager", "system:masters", "ccm.conf"},
		{"scheduler", "system:kube-scheduler", "system:kube-scheduler", "scheduler.conf"},
		{"apiserver-kubelet-client", "apiserver-kubelet-client", "system:masters", ""},
	} {
		certificate, key, err := v.issue(authority, client.file, parts.CertificateRequest{Name: client.name, Groups: []string{client.group}})
		if err != nil {
			return err
		}
		if client.kubeconfig == "" {
			continue
		}
		content, err := kubeconfig(config.Spec.API.localURL(), "Default", "user", authority.CertificatePEM, certificate, key)
		if err != nil {
			return err
		}
		if err := parts.WriteFileAtomically(v.pki(client.kubeconfig), content, 0o600); err != nil {
			return err
		}
	}
	names, err := servingNames(config)
	if err != nil {
		return fmt.Errorf("failed to generate SAN list: %w", err)
	}
	for file, name := range map[string]string{"server": "kubernetes", "k0s-api": "k0s-api"} {
		if _, _, err := v.issue(authority, file, parts.CertificateRequest{Name: name, Groups: []string{"kubernetes"}, Names: names}); err != nil {
			return err
		}
	}
	return v.ensureServiceAccountKey()
}

func servingNames(config *clusterConfig) ([]string, error) {
	network := config.Spec.Network
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + network.ClusterDomain,
		"localhost", "127.0.0.1", "::1", config.Spec.API.Address, parts.AddressInNetwork(network.ServiceCIDR, 1)}
	if external := config.Spec.API.externalHost(); external != "" {
		names = append(names, external)
	}
	names = append(names, config.Spec.API.SANs...)
	if hostname, err := os.Hostname(); err == nil {
		if addresses, err := net.LookupHost(hostname); err == nil {
			names = append(names, addresses...)
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, address := range addresses {
		if network, isNetwork := address.(*net.IPNet); isNetwork {
			names = append(names, network.IP.String())
		}
	}
	return parts.UniqueSorted(names), nil
}

func (v *vars) ensureServiceAccountKey() error {
	_, errKey := os.Stat(v.pki("sa.key"))
	_, errPublic := os.Stat(v.pki("sa.pub"))
	if errKey == nil && errPublic == nil {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := parts.WriteFileAtomically(v.pki("sa.key"), private, 0o640); err != nil {
		return err
	}
	return parts.WriteFileAtomically(v.pki("sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644)
}
