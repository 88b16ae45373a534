package main

import (
	"strings"

	"towline.lab/parts"
)

// extraArguments turns kube-apiserver-arg and its like into flags.
func extraArguments(values []string) []string {
	var arguments []string
	for _, value := range values {
		arguments = append(arguments, "--"+strings.TrimPrefix(value, "--"))
	}
	return arguments
}

func (s *server) componentArguments() parts.Components {
	chosen := s.settings.options
	return parts.Components{
		API:               append(s.apiArguments(), extraArguments(chosen["kube-apiserver-arg"])...),
		ControllerManager: append(s.controllerArguments(), extraArguments(chosen["kube-controller-manager-arg"])...),
		Scheduler:         append(s.schedulerArguments(), extraArguments(chosen["kube-scheduler-arg"])...),
	}
}

func (s *server) apiArguments() []string {
	config := s.settings
	tls := func(name string) string { return config.serverDir("tls", name) }
	endpoints := s.database.apiServerEndpoints()
	arguments := []string{
		"--bind-address=127.0.0.1", "--secure-port=6444",
		"--advertise-address=" + config.advertiseAddress,
		"--allow-privileged=true", "--anonymous-auth=false", "--profiling=false",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + tls("client-ca.crt"),
		"--tls-cert-file=" + tls("serving-kube-apiserver.crt"), "--tls-private-key-file=" + tls("serving-kube-apiserver.key"),
		"--kubelet-certificate-authority=" + tls("server-ca.crt"),
		"--kubelet-client-certificate=" + tls("client-kube-apiserver.crt"), "--kubelet-client-key=" + tls("client-kube-apiserver.key"),
		"--proxy-client-cert-file=" + tls("client-auth-proxy.crt"), "--proxy-client-key-file=" + tls("client-auth-proxy.key"),
		"--requestheader-client-ca-file=" + tls("request-header-ca.crt"), "--requestheader-allowed-names=system:auth-proxy",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--service-account-issuer=https://kubernetes.default.svc." + config.clusterDomain, "--api-audiences=https://kubernetes.default.svc." + config.clusterDomain + ",k3s",
		"--service-account-key-file=" + tls("service.key"), "--service-account-signing-key-file=" + tls("service.key"),
		"--service-cluster-ip-range=" + strings.Join(config.serviceCIDRs, ","), "--service-node-port-range=" + config.nodePortRange,
		"--storage-backend=etcd3", "--etcd-servers=" + endpoints,
		"--shutdown-send-retry-after=true", "--enable-aggregator-routing=true",
		"--cert-dir=" + tls("temporary-certs"),
	}
	if !strings.HasPrefix(endpoints, "unix:") {
		arguments = append(arguments, "--etcd-cafile="+tls("etcd/server-ca.crt"), "--etcd-certfile="+tls("etcd/client.crt"), "--etcd-keyfile="+tls("etcd/client.key"))
	}
	return arguments
}

func (s *server) controllerArguments() []string {
	config := s.settings
	tls := func(name string) string { return config.serverDir("tls", name) }
	kubeconfig := config.serverDir("cred", "controller.kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--secure-port=10257", "--profiling=false",
		"--tls-cert-file=" + tls("serving-kube-apiserver.crt"), "--tls-private-key-file=" + tls("serving-kube-apiserver.key"),
		"--allocate-node-cidrs=true", "--cluster-cidr=" + strings.Join(config.clusterCIDRs, ","),
		"--service-cluster-ip-range=" + strings.Join(config.serviceCIDRs, ","), "--configure-cloud-routes=false",
		"--root-ca-file=" + tls("server-ca.crt"), "--service-account-private-key-file=" + tls("service.key"),
		"--cluster-signing-cert-file=" + tls("client-ca.crt"), "--cluster-signing-key-file=" + tls("client-ca.key"),
		"--node-monitor-grace-period=40s", "--leader-elect=true",
	}
}

func (s *server) schedulerArguments() []string {
	config := s.settings
	kubeconfig := config.serverDir("cred", "scheduler.kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--secure-port=10259", "--profiling=false", "--leader-elect=true",
		"--tls-cert-file=" + config.serverDir("tls", "serving-kube-apiserver.crt"), "--tls-private-key-file=" + config.serverDir("tls", "serving-kube-apiserver.key"),
	}
}
