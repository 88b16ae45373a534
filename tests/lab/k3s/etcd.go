package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"towline.lab/parts"
)

const (
	bootstrapKey = "/bootstrap/k3s"
	sanPrefix    = "/standin/san/"
)

// database is the datastore of a server: embedded etcd as k3s has it, one
// etcd out of sight that stands for k3s's sqlite, or kine before a database
// outside the cluster.
type database struct {
	server *server
	name   string
	etcd   *embed.Etcd
	client *clientv3.Client // of the etcd in this process, or of kine
	others []string         // client addresses of other members at the join

	migrating bool // from what stood for sqlite
}

func (d *database) folder() string {
	if d.server.sqlite {
		return d.server.settings.serverDir("db", "standin")
	}
	return d.server.settings.serverDir("db", "etcd")
}

func (d *database) clientURL() string {
	return "https://" + net.JoinHostPort(d.server.settings.nodeIPs[0], "2379")
}

func (d *database) peerURL() string {
	return "https://" + net.JoinHostPort(d.server.settings.nodeIPs[0], "2380")
}

func (d *database) socket(name string) string {
	return "unix://" + d.server.settings.serverDir("db", name)
}

// apiServerEndpoints is where the API server of this machine finds its data.
// etcd serves no clients before its name is published, which can take seven
// seconds after a join: until then another member serves.
func (d *database) apiServerEndpoints() string {
	if d.server.external {
		return d.kineSocket()
	}
	local := d.socket("standin.sock")
	if len(d.others) == 0 {
		return local
	}
	select {
	case <-d.etcd.Server.ReadyNotify():
		return local
	case <-time.After(1500 * time.Millisecond):
		return strings.Join(append(append([]string(nil), d.others...), "https://127.0.0.1:2379"), ",")
	}
}

var suffixPattern = regexp.MustCompile(`-[0-9a-f]{8}$`)

// memberName is <nodename>-<8 hexadecimal digits>, kept in a file beside the data.
func (d *database) memberName() (string, error) {
	file := filepath.Join(d.folder(), "name")
	if content, err := os.ReadFile(file); err == nil && len(content) > 0 {
		return strings.TrimSpace(string(content)), nil
	}
	name := d.server.settings.nodeName + "-" + parts.RandomHex(4)
	return name, parts.WriteFileAtomically(file, []byte(name), 0o600)
}

func (d *database) clientTLS() (*tls.Config, error) {
	dir := func(name string) string { return d.server.settings.serverDir("tls", "etcd", name) }
	return parts.EtcdClientTLS(dir("client.crt"), dir("client.key"), dir("server-ca.crt"))
}

func (d *database) remoteClient(endpoints []string) (*clientv3.Client, error) {
	config, err := d.clientTLS()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: endpoints, TLS: config, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
}

// start runs etcd: on its present data, as a new cluster, or joining by remote.
func (d *database) start(ctx context.Context, hasData bool, remote *supervisorClient) error {
	var err error
	if d.name, err = d.memberName(); err != nil {
		return err
	}
	config := d.baseConfig()
	switch {
	case hasData:
		config.ClusterState = embed.ClusterStateFlagExisting
		config.InitialCluster = d.name + "=" + config.AdvertisePeerUrls[0].String()
		config.ForceNewCluster = d.migrating
	case remote != nil:
		if config.InitialCluster, err = d.join(ctx, remote); err != nil {
			return fmt.Errorf("etcd cluster join failed: %w", err)
		}
		config.ClusterState = embed.ClusterStateFlagExisting
	default:
		config.InitialCluster = d.name + "=" + config.AdvertisePeerUrls[0].String()
	}
	if err := d.run(config); err != nil || !d.migrating {
		return err
	}
	return d.finishMigration(ctx)
}

func (d *database) run(config *embed.Config) error {
	instance, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("failed to start etcd: %w", err)
	}
	d.etcd = instance
	d.client = v3client.New(instance.Server)
	go d.watchEnd()
	return nil
}

func (d *database) baseConfig() *embed.Config {
	config := embed.NewConfig()
	config.Name = d.name
	config.Dir = d.folder()
	config.LogLevel = "info" // raft's words, as k3s's journal has them
	config.Logger = "zap"
	config.TickMs = 200 // k3s: 500 and 5000, too slow for many restarts
	config.ElectionMs = 2000
	config.QuotaBackendBytes = 1 << 30
	config.MaxRequestBytes = 8 << 20
	if d.server.sqlite {
		config.TickMs, config.ElectionMs = 100, 1000
		config.ListenClientUrls = parts.URLs(d.socket("standin.sock"))
		config.AdvertiseClientUrls = parts.URLs("http://127.0.0.1:2379") // nothing listens on these
		config.ListenPeerUrls = parts.URLs(d.socket("standin-peer.sock"))
		config.AdvertisePeerUrls = parts.URLs("http://127.0.0.1:2380")
		return config
	}
	settings := d.server.settings
	dir := func(name string) string { return settings.serverDir("tls", "etcd", name) }
	config.ListenClientUrls = parts.URLs("https://127.0.0.1:2379", d.clientURL(), d.socket("standin.sock"))
	config.AdvertiseClientUrls = parts.URLs(d.clientURL())
	config.ListenPeerUrls = parts.URLs("https://127.0.0.1:2380", d.peerURL())
	config.AdvertisePeerUrls = parts.URLs(d.peerURL())
	config.ListenMetricsUrls = parts.URLs("http://127.0.0.1:2381")
	config.ClientTLSInfo.CertFile, config.ClientTLSInfo.KeyFile = dir("server-client.crt"), dir("server-client.key")
	config.ClientTLSInfo.TrustedCAFile, config.ClientTLSInfo.ClientCertAuth = dir("server-ca.crt"), true
	config.PeerTLSInfo.CertFile, config.PeerTLSInfo.KeyFile = dir("peer-server-client.crt"), dir("peer-server-client.key")
	config.PeerTLSInfo.TrustedCAFile, config.PeerTLSInfo.ClientCertAuth = dir("peer-ca.crt"), true
	config.PeerTLSInfo.SkipClientSANVerify = true
	return config
}

// join adds this server to the cluster as a learner. Only one learner is let
// in at a time: others wait here, a second between their tries (k3s:
// pkg/etcd/etcd.go, pollJoin).
func (d *database) join(ctx context.Context, remote *supervisorClient) (string, error) {
	for {
		initialCluster, err := d.tryJoin(ctx, remote)
		if err == nil {
			return initialCluster, nil
		}
		switch {
		case errors.Is(err, rpctypes.ErrTooManyLearners), errors.Is(err, rpctypes.ErrUnhealthy),
			errors.Is(err, rpctypes.ErrMemberNotEnoughStarted), errors.Is(err, rpctypes.ErrTimeout), errors.Is(err, context.DeadlineExceeded),
			errors.Is(err, rpctypes.ErrTimeoutDueToLeaderFail), errors.Is(err, rpctypes.ErrLeaderChanged),
			strings.Contains(err.Error(), "deadline exceeded"), strings.Contains(err.Error(), "etcdserver: request timed out"):
			parts.LogInfo("Waiting for other members to finish joining etcd cluster: %v", err)
		default:
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (d *database) tryJoin(ctx context.Context, remote *supervisorClient) (string, error) {
	var endpoints []string
	if err := remote.get(ctx, "/db/info", &endpoints); err != nil {
		return "", err
	}
	client, err := d.remoteClient(endpoints)
	if err != nil {
		return "", err
	}
	defer client.Close()
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	listed, err := client.MemberList(short)
	if err != nil {
		return "", err
	}
	known := false
	for _, member := range listed.Members {
		if member.Name == "" && len(member.PeerURLs) > 0 && member.PeerURLs[0] == d.peerURL() {
			known = true // added by an earlier try that ended before its start
		}
		if member.Name != "" && suffixPattern.ReplaceAllString(member.Name, "") == d.server.settings.nodeName {
			return "", errors.New("duplicate node name found, please use a unique name for this node")
		}
	}
	members := listed.Members
	if !known {
		parts.LogInfo("Adding member %s=%s to etcd cluster %v", d.name, d.peerURL(), endpoints)
		added, err := client.MemberAddAsLearner(short, []string{d.peerURL()})
		if err != nil {
			return "", err
		}
		members = added.Members
	}
	d.others = nil
	var initial []string
	for _, member := range members {
		name := member.Name
		if len(member.PeerURLs) > 0 && member.PeerURLs[0] == d.peerURL() {
			name = d.name
		} else {
			d.others = append(d.others, member.ClientURLs...)
		}
		if name == "" {
			name = fmt.Sprintf("unnamed-%x", member.ID)
		}
		for _, peer := range member.PeerURLs {
			initial = append(initial, name+"="+peer)
		}
	}
	return strings.Join(initial, ","), nil
}

// votes says whether this member votes, and whether it is one at all.
func (d *database) votes() (votes, isMember bool) {
	member := d.etcd.Server.Cluster().Member(d.etcd.Server.MemberID())
	return member != nil && !member.IsLearner, member != nil
}

// usable says whether this member votes, knows a leader and answers a read
// that needs a quorum (k3s: pkg/etcd, Test).
func (d *database) usable(ctx context.Context) error {
	node := d.etcd.Server
	if node.Leader() == 0 {
		return errors.New("etcd has no leader")
	}
	votes, isMember := d.votes()
	if !isMember {
		return errors.New("not a member of the etcd cluster")
	}
	if !votes {
		return errors.New("this server has not yet been promoted from learner to voting member")
	}
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := d.client.Get(short, bootstrapKey)
	return err
}

// waitUsable returns once the database can serve the API server.
func (d *database) waitUsable(ctx context.Context) error {
	var said time.Time
	for {
		err := d.usable(ctx)
		if err == nil {
			return nil
		}
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			parts.LogInfo("Failed to test etcd connection: %v", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
