package main

import (
	"strconv"
	"strings"

	"towline.lab/parts"
)

func (c *controller) arguments() parts.Components {
	// Here a lost election ends the whole process; k0s starts the one component again.
	election := []string{"--leader-elect=" + strconv.FormatBool(!c.flags.single), "--leader-elect-lease-duration=40s",
		"--leader-elect-renew-deadline=30s", "--leader-elect-retry-period=4s"}
	pki := func(name string) string { return c.vars.pki(name) }
	network, api := c.config.Spec.Network, c.config.Spec.API
	arguments := parts.Components{
		API: []string{
			"--advertise-address=" + api.Address, "--secure-port=" + strconv.Itoa(api.Port),
			"--allow-privileged=true", "--anonymous-auth=false", "--profiling=false",
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--enable-bootstrap-token-auth=true",
			"--client-ca-file=" + pki("ca.crt"), "--tls-cert-file=" + pki("server.crt"), "--tls-private-key-file=" + pki("server.key"),
			"--kubelet-client-certificate=" + pki("apiserver-kubelet-client.crt"), "--kubelet-client-key=" + pki("apiserver-kubelet-client.key"),
			"--proxy-client-cert-file=" + pki("front-proxy-client.crt"), "--proxy-client-key-file=" + pki("front-proxy-client.key"),
			"--requestheader-client-ca-file=" + pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
			"--requestheader-username-headers=X-Remote-User",
			"--service-account-issuer=https://kubernetes.default.svc", "--api-audiences=https://kubernetes.default.svc",
			"--service-account-key-file=" + pki("sa.pub"), "--service-account-signing-key-file=" + pki("sa.key"),
			"--service-cluster-ip-range=" + network.ServiceCIDR, "--etcd-servers=" + c.etcdEndpoint(),
			"--shutdown-send-retry-after=true", "--cert-dir=" + c.vars.RunDir,
		},
		ControllerManager: []string{
			"--kubeconfig=" + pki("ccm.conf"), "--authentication-kubeconfig=" + pki("ccm.conf"), "--authorization-kubeconfig=" + pki("ccm.conf"),
			"--bind-address=127.0.0.1", "--profiling=false", "--cert-dir=" + c.vars.RunDir,
			"--allocate-node-cidrs=true", "--cluster-name=k0s", "--cluster-cidr=" + network.PodCIDR, "--service-cluster-ip-range=" + network.ServiceCIDR,
			"--controllers=*,bootstrapsigner,tokencleaner", "--root-ca-file=" + pki("ca.crt"), "--service-account-private-key-file=" + pki("sa.key"),
			"--cluster-signing-cert-file=" + pki("ca.crt"), "--cluster-signing-key-file=" + pki("ca.key"),
		},
		Scheduler: []string{
			"--kubeconfig=" + pki("scheduler.conf"), "--authentication-kubeconfig=" + pki("scheduler.conf"), "--authorization-kubeconfig=" + pki("scheduler.conf"),
			"--bind-address=127.0.0.1", "--profiling=false", "--cert-dir=" + c.vars.RunDir,
		},
	}
	arguments.ControllerManager = append(arguments.ControllerManager, election...)
	arguments.Scheduler = append(arguments.Scheduler, election...)
	if api.OnlyBindToAddress {
		arguments.API = append(arguments.API, "--bind-address="+api.Address)
	}
	if strings.HasPrefix(c.etcdEndpoint(), "https:") {
		arguments.API = append(arguments.API, "--etcd-cafile="+c.vars.pki("etcd", "ca.crt"),
			"--etcd-certfile="+pki("apiserver-etcd-client.crt"), "--etcd-keyfile="+pki("apiserver-etcd-client.key"))
	}
	for _, extra := range []struct {
		into *[]string
		args map[string]string
		raw  []string
	}{
		{&arguments.API, api.ExtraArgs, api.RawArgs},
		{&arguments.ControllerManager, c.config.Spec.ControllerManager.ExtraArgs, c.config.Spec.ControllerManager.RawArgs},
		{&arguments.Scheduler, c.config.Spec.Scheduler.ExtraArgs, c.config.Spec.Scheduler.RawArgs},
	} {
		for name, value := range extra.args {
			*extra.into = append(*extra.into, "--"+name+"="+value)
		}
		*extra.into = append(*extra.into, extra.raw...)
	}
	return arguments
}
