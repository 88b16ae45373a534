package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/k3s-io/kine/pkg/tls"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"towline.lab/parts"
)

// journal wraps what a component says into lines of k0s's log.
type journal struct{ component string }

func (j journal) Write(line []byte) (int, error) {
	parts.LogComponent(j.component, string(bytes.TrimRight(line, "\n")))
	return len(line), nil
}

func (j journal) Sync() error { return nil }

func etcdLogger() *zap.Logger {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoding), journal{"etcd"}, zap.InfoLevel), zap.AddCaller())
}

// etcdRunner keeps etcd running: like k0s it starts a member that ended again and again.
type etcdRunner struct {
	config   func() *embed.Config
	instance *embed.Etcd
	stopping chan struct{}
	stopped  chan struct{}
}

func (r *etcdRunner) run() {
	defer close(r.stopped)
	for {
		instance, err := embed.StartEtcd(r.config())
		if err == nil {
			select {
			case <-r.stopping:
				instance.Close()
				return
			case err = <-instance.Err():
			case <-instance.Server.StopNotify():
				err = errors.New("etcd ended")
			}
			instance.Close()
		}
		parts.LogWarning("Failed to wait for etcd: %v", err)
		select {
		case <-r.stopping:
			return
		case <-time.After(5 * time.Second):
		}
	}
}

func (r *etcdRunner) stop() {
	close(r.stopping)
	parts.WaitAtMost(5*time.Second, func() { <-r.stopped })
}

func (v *vars) etcdHasData() bool {
	_, err := os.Stat(filepath.Join(v.EtcdDataDir, "member", "snap", "db"))
	return err == nil
}

// startEtcd begins with k0s's etcd: on its data, as a new cluster, or as a member of the joined one.
func (c *controller) startEtcd() error {
	parts.LogInfo("Starting etcd")
	etcd := c.config.Spec.Storage.Etcd
	name := etcd.ExtraArgs["name"]
	if name == "" {
		hostname, err := os.Hostname()
		if err != nil {
			return err
		}
		name = hostname
	}
	c.memberName = name
	initial, state := name+"="+etcd.peerURL(), embed.ClusterStateFlagNew
	if c.vars.etcdHasData() {
		parts.LogWarning("etcd db file(s) already exist, not gonna run join process")
	} else if c.join != nil {
		members, err := c.vars.joinEtcd(c.join, name, etcd.peerURL())
		if err != nil {
			return fmt.Errorf("failed to sync etcd config: %w", err)
		}
		if knob("die-after-joining", 0) > 0 {
			os.Exit(137)
		}
		initial, state = strings.Join(members, ","), embed.ClusterStateFlagExisting
	}
	if err := c.issueEtcdCertificates(etcd); err != nil {
		return fmt.Errorf("failed to create etcd certs: %w", err)
	}
	c.etcd = &etcdRunner{stopping: make(chan struct{}), stopped: make(chan struct{}), config: func() *embed.Config {
		config := embed.NewConfig()
		config.Name, config.Dir = name, c.vars.EtcdDataDir
		config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(etcdLogger())
		config.TickMs, config.ElectionMs = 200, 2000 // k0s: 100 and 1000
		config.QuotaBackendBytes = 1 << 30
		config.InitialCluster, config.ClusterState = initial, state
		file := func(name string) string { return c.vars.pki("etcd", name) }
		config.ListenClientUrls, config.AdvertiseClientUrls = parts.URLs("https://127.0.0.1:2379"), parts.URLs("https://127.0.0.1:2379")
		config.ListenPeerUrls, config.AdvertisePeerUrls = parts.URLs(etcd.peerURL()), parts.URLs(etcd.peerURL())
		config.ClientTLSInfo.CertFile, config.ClientTLSInfo.KeyFile = file("server.crt"), file("server.key")
		config.ClientTLSInfo.TrustedCAFile, config.ClientTLSInfo.ClientCertAuth = file("ca.crt"), true
		config.PeerTLSInfo.CertFile, config.PeerTLSInfo.KeyFile = file("peer.crt"), file("peer.key")
		config.PeerTLSInfo.TrustedCAFile, config.PeerTLSInfo.ClientCertAuth = file("ca.crt"), true
		return config
	}}
	go c.etcd.run()
	return nil
}

func (c *controller) issueEtcdCertificates(etcd *etcdSpec) error {
	signer, err := c.vars.ensureAuthority("etcd/ca", "etcd-ca")
	if err != nil {
		return err
	}
	local := []string{"127.0.0.1", "localhost"}
	for file, request := range map[string]parts.CertificateRequest{
		"apiserver-etcd-client": {Name: "apiserver-etcd-client", Groups: []string{"apiserver-etcd-client"}, Names: local},
		"etcd/server":           {Name: "etcd-server", Groups: []string{"etcd-server"}, Names: local},
		"etcd/peer":             {Name: etcd.PeerAddress, Groups: []string{"etcd-peer"}, Names: []string{etcd.PeerAddress}},
	} {
		if _, _, err := c.vars.issue(signer, file, request); err != nil {
			return err
		}
	}
	return nil
}

// startKine serves a database by kine. For kine over sqlite stands an etcd
// behind a socket, and a file in sqlite's place.
func (c *controller) startKine() error {
	parts.LogInfo("Starting kine")
	told := c.config.Spec.Storage.Kine
	if !strings.HasPrefix(told.DataSource, "sqlite:") {
		// k0s starts kine again and again, until its gate closes.
		go func() {
			certificates := tls.Config{CAFile: told.ExtraArgs["ca-file"], CertFile: told.ExtraArgs["cert-file"], KeyFile: told.ExtraArgs["key-file"]}
			for {
				err := parts.ServeKine(context.Background(), told.DataSource, certificates, filepath.Join(c.vars.RunDir, "kine.sock"))
				if err == nil {
					return
				}
				parts.LogComponent("kine", fmt.Sprintf("level=fatal msg=%q", err.Error()))
				time.Sleep(5 * time.Second)
			}
		}()
		return nil
	}
	folder := filepath.Join(c.vars.DataDir, "db")
	if err := parts.WriteFileAtomically(filepath.Join(folder, "state.db"), nil, 0o600); err != nil {
		return err
	}
	socket := func(name string) []url.URL { return parts.URLs("unix://" + filepath.Join(c.vars.RunDir, name)) }
	c.etcd = &etcdRunner{stopping: make(chan struct{}), stopped: make(chan struct{}), config: func() *embed.Config {
		for _, name := range []string{"kine.sock", "kine-peer.sock"} {
			_ = os.Remove(filepath.Join(c.vars.RunDir, name))
		}
		config := embed.NewConfig()
		config.Name, config.Dir = "standin", filepath.Join(folder, "standin")
		config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
		config.ListenClientUrls, config.ListenPeerUrls = socket("kine.sock"), socket("kine-peer.sock")
		config.AdvertiseClientUrls, config.AdvertisePeerUrls = parts.URLs("http://127.0.0.1:2379"), parts.URLs("http://127.0.0.1:2380")
		config.InitialCluster = "standin=http://127.0.0.1:2380"
		return config
	}}
	go c.etcd.run()
	return nil
}

func (c *controller) etcdEndpoint() string {
	if c.config.Spec.Storage.Type == "kine" {
		return "unix://" + filepath.Join(c.vars.RunDir, "kine.sock")
	}
	return "https://127.0.0.1:2379"
}

// etcdClient reaches the member of this machine.
func (v *vars) etcdClient() (*clientv3.Client, error) {
	config, err := parts.EtcdClientTLS(v.pki("apiserver-etcd-client.crt"), v.pki("apiserver-etcd-client.key"), v.pki("etcd", "ca.crt"))
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: []string{"https://127.0.0.1:2379"}, TLS: config, Logger: zap.NewNop()})
}

// etcdReady is a read that needs a quorum and a vote.
func (c *controller) etcdReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var client *clientv3.Client
	var err error
	if c.config.Spec.Storage.Type == "kine" {
		client, err = clientv3.New(clientv3.Config{Endpoints: []string{c.etcdEndpoint()}, Logger: zap.NewNop()})
	} else {
		client, err = c.vars.etcdClient()
	}
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Get(ctx, "health")
	return err
}

// votingJoin is how versions before 1.35.5 and 1.36.1 let members in: with a
// vote at once. The knob stands for such a version.
func votingJoin() bool { return knob("voting-join", 0) > 0 }

func addEtcdMember(ctx context.Context, client *clientv3.Client, name, peerURL string) ([]string, error) {
	var member *etcdserverpb.Member
	var members []*etcdserverpb.Member
	if votingJoin() {
		added, err := client.MemberAdd(ctx, []string{peerURL})
		if err != nil {
			return nil, err
		}
		member, members = added.Member, added.Members
	} else {
		added, err := client.MemberAddAsLearner(ctx, []string{peerURL})
		if err != nil {
			return nil, fmt.Errorf("etcd member add as learner failed: %w", err)
		}
		member, members = added.Member, added.Members
	}
	var initial []string
	for _, one := range members {
		shown := one.Name
		if one.ID == member.ID {
			shown = name
		}
		initial = append(initial, shown+"="+one.PeerURLs[0])
	}
	return initial, nil
}
