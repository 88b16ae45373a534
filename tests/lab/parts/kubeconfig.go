package parts

import (
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// KubeconfigWithFiles is the form of a component's kubeconfig.
func KubeconfigWithFiles(serverURL, caFile, certificateFile string) ([]byte, error) {
	return clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"local": {Server: serverURL, CertificateAuthority: caFile}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"user": {ClientCertificate: certificateFile, ClientKey: KeyFileOf(certificateFile)}},
		Contexts:       map[string]*clientcmdapi.Context{"Default": {Cluster: "local", AuthInfo: "user"}},
		CurrentContext: "Default",
	})
}
